// Package profile draws CPU profiles as flame graphs: one self-contained SVG in
// which the width of a box is the share of time that a function and those it
// called took (Gregg, The Flame Graph, ACM Queue 14(2), 2016).
package profile

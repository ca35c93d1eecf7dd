// Package board says what the local machine is: processor, memory, kernel,
// governor, boot, virtualization, load and temperatures. Host facts come from
// gopsutil, the rest from sysfs and procfs below a root that tests replace by a
// fixture tree. A fact that a machine does not tell stays at its zero value or nil.
package board

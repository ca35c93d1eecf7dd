// Package targets is the inventory: the machines that a sweep may use, how they
// are reached, what is wired to them and what may be changed on them. It lives in
// one YAML file (targets.yaml) that people edit too: the commands change only the
// lines that they must and keep every comment.
//
// The reading of host keys, connections and deployment are in package remote.
package targets

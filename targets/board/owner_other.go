//go:build !linux

package board

// groupOf names the group that owns a file; device files of sensors are Linux's.
func (s Source) groupOf(string) string { return "" }

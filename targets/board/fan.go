package board

import "path/filepath"

// Fan is a fan that tells its speed.
type Fan struct {
	Name string // such as "pwmfan", as the kernel's driver is called
	path string
}

// Fans lists the fans with a tachometer: fanN_input of hwmon (Documentation/hwmon/
// sysfs-interface.rst), rpm of a Jetson's pwm_tach.
func (s Source) Fans() []Fan {
	var out []Fan
	for _, pattern := range []string{"fan*_input", "rpm"} {
		for _, path := range s.glob(filepath.Join("sys/class/hwmon/hwmon*", pattern)) {
			if f := (Fan{Name: s.text(filepath.Dir(path), "name"), path: path}); s.RPM(f) != nil {
				out = append(out, f)
			}
		}
	}
	return out
}

// RPM reads the speed of f in turns a minute; nil where it does not answer.
func (s Source) RPM(f Fan) *int64 {
	if n := s.number(f.path); n != nil && *n >= 0 {
		return n
	}
	return nil
}

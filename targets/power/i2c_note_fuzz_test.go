package power

import (
	"bytes"
	"testing"
)

// A note may have been cut off by the kill that it is for, or be another program's
// file: what it says must go into a chip only where the chip shows what it wrote.
func FuzzNote(f *testing.F) {
	f.Add([]byte(`{"pid":7,"config":16679,"cal":0,"writes":[18215],"write_cal":2048}`), uint16(18215), uint16(2048))
	f.Add([]byte(`{"config":1,"writes":[70000]}`), uint16(1), uint16(0))
	f.Add([]byte("{"), uint16(0), uint16(0))
	f.Fuzz(func(t *testing.T, text []byte, config, cal uint16) {
		k := readNote(bytes.NewReader(text))
		gotConfig, gotCal := k.correct(config, cal)
		if (gotConfig != config || gotCal != cal) && (gotConfig != k.Config || gotCal != k.Cal) {
			t.Errorf("%04x and %04x become %04x and %04x, which the note %+v does not say", config, cal, gotConfig, gotCal, k)
		}
		if len(k.Writes) == 0 && k.WriteCal == 0 && (gotConfig != config || gotCal != cal) {
			t.Errorf("a note of no writes changes %04x and %04x", config, cal)
		}
	})
}

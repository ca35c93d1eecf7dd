package main

import "testing"

// A kernel whose inner loop runs once a group, with minimums that are not there:
// the loop is the outer one, without what is skipped.
const listing = `
0000000000010000 <example.com/kernels.mul.abi0>:
   10000:	mov	x8, #0x20                  	// #32
   10004:	ld1	{v0.16b-v3.16b}, [x1], #64
   10008:	cbz	x13, 10010 <example.com/kernels.mul.abi0+0x10>
   1000c:	add	x13, x13, #0x20
   10010:	subs	x9, x9, #0x1
   10014:	b.ne	10008 <example.com/kernels.mul.abi0+0x8>  // b.any
   10018:	cbnz	x8, 10004 <example.com/kernels.mul.abi0+0x4>
   1001c:	ret
`

func TestHotLoop(t *testing.T) {
	ran := map[uint64]int64{
		0x10000: 5, 0x10004: 160, 0x10008: 160, 0x1000c: 0, 0x10010: 160, 0x10014: 160, 0x10018: 160, 0x1001c: 5,
	}
	code, err := parse(listing, ran)
	if err != nil {
		t.Fatal(err)
	}
	text, rounds, err := hotLoop(code)
	if err != nil {
		t.Fatal(err)
	}
	const want = "loop:\nld1	{v0.16b-v3.16b}, [x1], #64\ncbz	x13, loop\nsubs	x9, x9, #0x1\nb.ne	loop\ncbnz	x8, loop\n"
	if text != want || rounds != 160 {
		t.Errorf("%d rounds of\n%swant 160 of\n%s: cycles would be those of other code", rounds, text, want)
	}
	if _, _, err := hotLoop(code[:2]); err == nil {
		t.Error("straight code has a loop")
	}
}

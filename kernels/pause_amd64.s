//go:build !noasm

#include "textflag.h"

// func pause()
// Registers: AX rounds left.
TEXT ·pause(SB), NOSPLIT, $0-0
	MOVQ $4, AX
again:
	PAUSE
	DECQ AX
	JNZ  again
	RET

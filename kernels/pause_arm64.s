//go:build !noasm

#include "textflag.h"

// func pause()
// Registers: R0 rounds left.
TEXT ·pause(SB), NOSPLIT, $0-0
	MOVD $16, R0
again:
	YIELD
	SUBS $1, R0
	BNE  again
	RET

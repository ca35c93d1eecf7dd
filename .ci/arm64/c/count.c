// A plugin of QEMU's user-mode emulators (API version 1): how often each
// instruction of an address range ran. Arguments: lo=, hi=, out=FILE.
// Declared here is what it needs of qemu-plugin.h, which few packages ship.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef uint64_t plugin_id;
struct block;
struct insn;
extern void qemu_plugin_register_vcpu_tb_trans_cb(plugin_id, void (*)(plugin_id, struct block *));
extern size_t qemu_plugin_tb_n_insns(const struct block *);
extern struct insn *qemu_plugin_tb_get_insn(const struct block *, size_t);
extern uint64_t qemu_plugin_insn_vaddr(const struct insn *);
extern void qemu_plugin_register_vcpu_insn_exec_cb(struct insn *, void (*)(unsigned, void *), int flags, void *);
extern void qemu_plugin_register_atexit_cb(plugin_id, void (*)(plugin_id, void *), void *);

int qemu_plugin_version = 1;

static uint64_t lo, hi, *counts;
static const char *out;

static void executed(unsigned cpu, void *count) { ++*(uint64_t *)count; }

static void translated(plugin_id id, struct block *b) {
	for (size_t i = 0; i < qemu_plugin_tb_n_insns(b); i++) {
		struct insn *n = qemu_plugin_tb_get_insn(b, i);
		uint64_t at = qemu_plugin_insn_vaddr(n);
		if (at >= lo && at < hi)
			qemu_plugin_register_vcpu_insn_exec_cb(n, executed, 0, &counts[(at - lo) / 4]);
	}
}

static void finish(plugin_id id, void *data) {
	FILE *f = fopen(out, "w");
	if (!f) {
		perror(out);
		return;
	}
	for (uint64_t i = 0; i < (hi - lo) / 4; i++)
		fprintf(f, "%" PRIx64 " %" PRIu64 "\n", lo + 4 * i, counts[i]);
	fclose(f);
}

int qemu_plugin_install(plugin_id id, const void *info, int argc, char **argv) {
	for (int i = 0; i < argc; i++) {
		if (!strncmp(argv[i], "lo=", 3))
			lo = strtoull(argv[i] + 3, 0, 0);
		else if (!strncmp(argv[i], "hi=", 3))
			hi = strtoull(argv[i] + 3, 0, 0);
		else if (!strncmp(argv[i], "out=", 4))
			out = strdup(argv[i] + 4);
	}
	if (!out || hi <= lo)
		return 1;
	counts = calloc((hi - lo) / 4, sizeof *counts);
	qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
	qemu_plugin_register_atexit_cb(id, finish, 0);
	return 0;
}

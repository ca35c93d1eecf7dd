// A stand-in for libggml-base, libggml and libllama: the functions that the
// driver calls, with a vocabulary of 8 tokens and logits that favour the next
// one. What is asked of decode goes to stderr.
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { VOCAB = 8 };

struct pool { char mask[512]; int32_t threads, priority; uint32_t poll; bool strict, paused; };
struct model_params { char before[16]; int32_t gpu_layers, split, load_mode; char between[46]; bool repack, after[5]; };
struct context_params {
    uint32_t n_ctx, n_batch, n_ubatch, n_seq_max, rs, outputs, outputs_per_seq;
    int32_t threads, threads_batch, type, rope, pooling, attention, flash;
    char floats[48];
    int32_t type_k, type_v;
    char callbacks[16];
    bool embeddings, offload_kqv, no_perf, op_offload, swa_full, unified;
    char after[26];
};
struct batch { int32_t n, *token; float *embd; int32_t *pos, *n_seq, **seq; int8_t *logits; };
struct context { struct context_params p; struct batch last; float row[VOCAB]; };

static void *pool_new(struct pool *p) { return p; }
static void pool_free(void *p) { (void)p; }

struct pool ggml_threadpool_params_default(int n) { return (struct pool){.threads = n, .poll = 50}; }
const char *ggml_version(void) { return "fake"; }
const char *ggml_commit(void) { return "abc\"\\"; }
void *ggml_backend_reg_get_proc_address(void *r, const char *name) {
    (void)r;
    return strcmp(name, "ggml_threadpool_new") ? (void *)pool_free : (void *)pool_new;
}
void *ggml_backend_reg_by_name(const char *name) { return getenv("FAKE_NO_CPU") ? NULL : (void *)name; }
void ggml_backend_load_all_from_path(const char *dir) { (void)dir; }
void llama_backend_init(void) {}
void llama_log_set(void *f, void *data) { (void)f, (void)data; }

struct model_params llama_model_default_params(void) {
    return (struct model_params){.gpu_layers = -1, .load_mode = -1, .repack = true};
}
void *llama_model_load_from_file(const char *path, struct model_params p) {
    fprintf(stderr, "load repack=%d\n", p.repack);
    return strstr(path, "missing") ? NULL : (void *)path;
}
void llama_model_free(void *m) { (void)m; }
const void *llama_model_get_vocab(const void *m) { return m; }
int32_t llama_vocab_n_tokens(const void *v) { (void)v; return VOCAB; }
int32_t llama_model_desc(const void *m, char *s, size_t n) { (void)m; return snprintf(s, n, "fake 8 \"B\""); }
uint64_t llama_model_size(const void *m) { (void)m; return 1000; }
uint64_t llama_model_n_params(const void *m) { (void)m; return 2000; }

struct context_params llama_context_default_params(void) {
    const char *batch = getenv("FAKE_N_BATCH");
    return (struct context_params){
        .n_ctx = 512, .n_batch = batch ? atoi(batch) : 2048, .n_ubatch = 512, .n_seq_max = 1, .outputs_per_seq = 1,
        .threads = 4, .threads_batch = 4, .rope = -1, .pooling = -1, .attention = -1, .flash = -1, .type_k = 1,
        .type_v = 1, .op_offload = true,
    };
}
void *llama_init_from_model(void *m, struct context_params p) {
    (void)m;
    struct context *c = calloc(1, sizeof *c);
    if (p.n_batch > p.n_ctx) p.n_batch = p.n_ctx;
    if (p.n_ubatch > p.n_batch) p.n_ubatch = p.n_batch;
    c->p = p;
    return c;
}
void llama_free(void *c) { free(c); }
uint32_t llama_n_ctx(struct context *c) { return c->p.n_ctx; }
uint32_t llama_n_batch(struct context *c) { return c->p.n_batch; }
uint32_t llama_n_ubatch(struct context *c) { return c->p.n_ubatch; }
uint32_t llama_n_seq_max(struct context *c) { return c->p.n_seq_max; }
int32_t llama_n_threads(struct context *c) { return c->p.threads; }
int32_t llama_n_threads_batch(struct context *c) { return c->p.threads_batch; }
void llama_attach_threadpool(void *c, void *p, void *q) { (void)c, (void)p, (void)q; }
void *llama_get_memory(void *c) { return c; }
void llama_memory_clear(void *m, bool data) { (void)m, (void)data; fprintf(stderr, "clear\n"); }
int32_t llama_decode(struct context *c, struct batch b) {
    int rows = 0, last = 0;
    for (int i = 0; i < b.n; i++) {
        if (b.token[i] < 0 || b.token[i] >= VOCAB || b.n_seq[i] != 1) return -1;
        rows += b.logits[i];
        if (b.seq[i][0] > last) last = b.seq[i][0];
    }
    fprintf(stderr, "decode %d tokens from %d to %d, %d sequences, %d rows\n", b.n, b.pos[0], b.pos[b.n - 1], last + 1, rows);
    c->last = b;
    return getenv("FAKE_DECODE") ? atoi(getenv("FAKE_DECODE")) : 0;
}
void llama_synchronize(void *c) { (void)c; }
float *llama_get_logits_ith(struct context *c, int32_t i) {
    memset(c->row, 0, sizeof c->row);
    c->row[(c->last.token[i < 0 ? c->last.n - 1 : i] + 1) % VOCAB] = 1;
    return c->row;
}

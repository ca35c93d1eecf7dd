// A benchmark of a prebuilt libllama with llama-bench's flags and jsonl fields.
//
// The npm package node-llama-cpp ships the library without llama-bench, and its
// own JavaScript interface samples a token at each step. This program opens the
// library and calls its C interface, so that it does what llama-bench does: no
// sampling, logits of the last prompt token, logits of every decoded token.
//
// No header is needed. Parameter structures travel by value as blobs that are
// larger than the real ones: a callee reads and writes only its own part. The
// offsets below are those of the pinned version; fields with known defaults are
// read back first and the program refuses a library that disagrees.
//
//   llama --lib DIR -m F.gguf [-p N,..] [-n N,..] [--batch SEQUENCES] [-t T]
//         [-r R] [-b B] [-ub U] [--no-warmup] [--repack 0|1] [-fa -1|0|1]
//         [--load -1..4] [--unified 0|1] [--tokens FILE]
//
// Errors: exit status 1 and one line on stderr. With --tokens it prints the
// perplexity of that list of numbers instead.
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <math.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BLOB 1024   // bytes; the largest real structure has 528
#define MAX_TESTS 16
#define MAX_REPEATS 100

struct blob { _Alignas(16) unsigned char at[BLOB]; };

// A batch as the library takes it: one token list and parallel arrays.
struct batch {
    int32_t count;
    int32_t *token;
    float *embedding;
    int32_t *position;
    int32_t *sequence_count;
    int32_t **sequence;
    int8_t *want_logits;
};

static struct {
    void (*load_backends)(const char *dir);
    void *(*backend_by_name)(const char *name);
    void *(*backend_symbol)(void *backend, const char *name);
    struct blob (*pool_defaults)(int threads);
    void *(*pool_new)(struct blob *);
    void (*pool_free)(void *);
    const char *(*ggml_version)(void);
    const char *(*ggml_commit)(void);
    void (*init)(void);
    void (*log_set)(void (*)(int, const char *, void *), void *);
    struct blob (*model_defaults)(void);
    void *(*model_load)(const char *path, struct blob);
    void (*model_free)(void *);
    const void *(*model_vocab)(const void *);
    int32_t (*vocab_size)(const void *);
    int32_t (*model_desc)(const void *, char *, size_t);
    uint64_t (*model_size)(const void *);
    uint64_t (*model_params)(const void *);
    struct blob (*context_defaults)(void);
    void *(*context_new)(void *model, struct blob);
    void (*context_free)(void *);
    uint32_t (*n_ctx)(const void *);
    uint32_t (*n_batch)(const void *);
    uint32_t (*n_ubatch)(const void *);
    uint32_t (*n_seq_max)(const void *);
    int32_t (*n_threads)(void *);
    int32_t (*n_threads_batch)(void *);
    void (*attach_pool)(void *context, void *pool, void *pool_batch);
    void *(*memory)(const void *context);
    void (*memory_clear)(void *memory, bool data);
    int32_t (*decode)(void *context, struct batch);
    void (*synchronize)(void *context);
    float *(*logits)(void *context, int32_t row);
} api;

// Offsets in bytes.
enum { POOL_THREADS = 512, POOL_POLL = 520 };
enum { MODEL_GPU_LAYERS = 16, MODEL_LOAD_MODE = 24, MODEL_REPACK = 74 };
enum {
    CTX_N_CTX = 0, CTX_N_BATCH = 4, CTX_N_UBATCH = 8, CTX_N_SEQ_MAX = 12, CTX_OUTPUTS_PER_SEQ = 24,
    CTX_THREADS = 28, CTX_THREADS_BATCH = 32, CTX_ROPE_SCALING = 40, CTX_POOLING = 44, CTX_ATTENTION = 48,
    CTX_FLASH = 52, CTX_TYPE_K = 104, CTX_TYPE_V = 108, CTX_NO_PERF = 130, CTX_OP_OFFLOAD = 131, CTX_UNIFIED = 133,
};
enum { F16 = 1 };

struct options {
    const char *lib, *model, *tokens;
    int prompts[MAX_TESTS], generate[MAX_TESTS], prompt_count, generate_count;
    int threads, repeats, batch, ubatch, sequences, flash, repack, unified, load;
    bool warmup;
};

static void fail(const char *format, ...) {
    va_list args;
    va_start(args, format);
    fputs("llama driver: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(1);
}

static int32_t get32(const struct blob *b, int at) {
    int32_t v;
    memcpy(&v, b->at + at, sizeof v);
    return v;
}

static void put32(struct blob *b, int at, int32_t v) { memcpy(b->at + at, &v, sizeof v); }

static int64_t now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

// open_library opens the file DIR/PREFIX*.so; the package puts a version into the names.
static void *open_library(const char *dir, const char *prefix) {
    DIR *d = opendir(dir);
    if (!d) fail("no folder %s", dir);
    char path[4096] = "";
    for (struct dirent *e; (e = readdir(d));) {
        size_t n = strlen(e->d_name);
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 && n > 3 && strcmp(e->d_name + n - 3, ".so") == 0)
            snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
    }
    closedir(d);
    if (!*path) fail("no %s*.so in %s", prefix, dir);
    void *h = dlopen(path, RTLD_NOW | RTLD_GLOBAL);
    if (!h) fail("opening the library: %s", dlerror());
    return h;
}

static void *symbol(void *library, const char *name) {
    void *p = dlsym(library, name);
    if (!p) fail("this library has no %s: the driver is written for another version", name);
    return p;
}

static void print_errors(int level, const char *text, void *unused) {
    (void)unused;
    if (level == 4) fputs(text, stderr); // an error
}

static void open_api(const char *dir) {
    void *base = open_library(dir, "libggml-base");
    void *ggml = open_library(dir, "libggml.");
    void *llama = open_library(dir, "libllama.");
    api.pool_defaults = symbol(base, "ggml_threadpool_params_default");
    api.ggml_version = symbol(base, "ggml_version");
    api.ggml_commit = symbol(base, "ggml_commit");
    api.backend_symbol = symbol(base, "ggml_backend_reg_get_proc_address");
    api.backend_by_name = symbol(ggml, "ggml_backend_reg_by_name");
    api.load_backends = symbol(ggml, "ggml_backend_load_all_from_path");
    api.init = symbol(llama, "llama_backend_init");
    api.log_set = symbol(llama, "llama_log_set");
    api.model_defaults = symbol(llama, "llama_model_default_params");
    api.model_load = symbol(llama, "llama_model_load_from_file");
    api.model_free = symbol(llama, "llama_model_free");
    api.model_vocab = symbol(llama, "llama_model_get_vocab");
    api.vocab_size = symbol(llama, "llama_vocab_n_tokens");
    api.model_desc = symbol(llama, "llama_model_desc");
    api.model_size = symbol(llama, "llama_model_size");
    api.model_params = symbol(llama, "llama_model_n_params");
    api.context_defaults = symbol(llama, "llama_context_default_params");
    api.context_new = symbol(llama, "llama_init_from_model");
    api.context_free = symbol(llama, "llama_free");
    api.n_ctx = symbol(llama, "llama_n_ctx");
    api.n_batch = symbol(llama, "llama_n_batch");
    api.n_ubatch = symbol(llama, "llama_n_ubatch");
    api.n_seq_max = symbol(llama, "llama_n_seq_max");
    api.n_threads = symbol(llama, "llama_n_threads");
    api.n_threads_batch = symbol(llama, "llama_n_threads_batch");
    api.attach_pool = symbol(llama, "llama_attach_threadpool");
    api.memory = symbol(llama, "llama_get_memory");
    api.memory_clear = symbol(llama, "llama_memory_clear");
    api.decode = symbol(llama, "llama_decode");
    api.synchronize = symbol(llama, "llama_synchronize");
    api.logits = symbol(llama, "llama_get_logits_ith");

    api.log_set(print_errors, NULL);
    api.load_backends(dir);
    void *cpu = api.backend_by_name("CPU");
    if (!cpu) fail("no library in %s runs on this CPU", dir);
    api.pool_new = (void *(*)(struct blob *))api.backend_symbol(cpu, "ggml_threadpool_new");
    api.pool_free = (void (*)(void *))api.backend_symbol(cpu, "ggml_threadpool_free");
    if (!api.pool_new || !api.pool_free) fail("the CPU library has no thread pool");
    api.init();
}

static void expect(const char *what, int64_t got, int64_t want) {
    if (got != want)
        fail("%s is %lld, want %lld: the driver is written for another version of the library", what, (long long)got,
             (long long)want);
}

static void *load_model(const struct options *o) {
    struct blob p = api.model_defaults();
    expect("default of n_gpu_layers", get32(&p, MODEL_GPU_LAYERS), -1);
    expect("default of load_mode", get32(&p, MODEL_LOAD_MODE), -1);
    expect("default of use_extra_bufts", p.at[MODEL_REPACK], 1);
    put32(&p, MODEL_GPU_LAYERS, 0);
    put32(&p, MODEL_LOAD_MODE, o->load);
    p.at[MODEL_REPACK] = o->repack != 0;
    void *m = api.model_load(o->model, p);
    if (!m) fail("loading %s", o->model);
    return m;
}

// new_context has room for `tokens` positions in each of `sequences` sequences.
static void *new_context(const struct options *o, void *model, int tokens, int sequences, int outputs) {
    struct blob p = api.context_defaults();
    expect("default of n_ctx", get32(&p, CTX_N_CTX), 512);
    expect("default of n_batch", get32(&p, CTX_N_BATCH), 2048);
    expect("default of n_ubatch", get32(&p, CTX_N_UBATCH), 512);
    expect("default of n_seq_max", get32(&p, CTX_N_SEQ_MAX), 1);
    expect("default of n_outputs_max_per_seq", get32(&p, CTX_OUTPUTS_PER_SEQ), 1);
    expect("default of n_threads", get32(&p, CTX_THREADS), 4);
    expect("default of n_threads_batch", get32(&p, CTX_THREADS_BATCH), 4);
    expect("default of rope_scaling_type", get32(&p, CTX_ROPE_SCALING), -1);
    expect("default of pooling_type", get32(&p, CTX_POOLING), -1);
    expect("default of attention_type", get32(&p, CTX_ATTENTION), -1);
    expect("default of flash_attn_type", get32(&p, CTX_FLASH), -1);
    expect("default of type_k", get32(&p, CTX_TYPE_K), F16);
    expect("default of type_v", get32(&p, CTX_TYPE_V), F16);
    expect("default of op_offload", p.at[CTX_OP_OFFLOAD], 1);
    expect("default of kv_unified", p.at[CTX_UNIFIED], 0);
    put32(&p, CTX_N_CTX, (tokens + 255) / 256 * 256 * sequences);
    put32(&p, CTX_N_BATCH, o->batch);
    put32(&p, CTX_N_UBATCH, o->ubatch);
    put32(&p, CTX_N_SEQ_MAX, sequences);
    put32(&p, CTX_OUTPUTS_PER_SEQ, outputs);
    put32(&p, CTX_THREADS, o->threads);
    put32(&p, CTX_THREADS_BATCH, o->threads);
    put32(&p, CTX_FLASH, o->flash);
    p.at[CTX_UNIFIED] = o->unified != 0;
    void *c = api.context_new(model, p);
    if (!c) fail("no context of %d tokens in %d sequences", tokens, sequences);
    int room = api.n_ctx(c), batch = o->batch < room ? o->batch : room; // the library cuts a batch to the context
    expect("n_batch", api.n_batch(c), batch);
    expect("n_ubatch", api.n_ubatch(c), o->ubatch < batch ? o->ubatch : batch);
    expect("n_seq_max", api.n_seq_max(c), sequences);
    expect("n_threads", api.n_threads(c), o->threads);
    expect("n_threads_batch", api.n_threads_batch(c), o->threads);
    if (room < tokens * sequences) fail("the context holds %d tokens, want %d", room, tokens * sequences);
    return c;
}

// A pool that outlives a step: without one the library starts threads at every step.
static void *new_pool(int threads) {
    struct blob p = api.pool_defaults(threads);
    expect("threads of a pool", get32(&p, POOL_THREADS), threads);
    expect("default of poll", get32(&p, POOL_POLL), 50);
    void *pool = api.pool_new(&p);
    if (!pool) fail("no pool of %d threads", threads);
    return pool;
}

static uint32_t random_state = 1;

static int32_t random_token(int vocab) {
    random_state = random_state * 1664525u + 1013904223u;
    return (int32_t)((random_state >> 8) % (uint32_t)vocab);
}

// new_batch has room for that many tokens, each of one sequence.
static struct batch new_batch(int room) {
    struct batch b = {.token = calloc(room, sizeof(int32_t)), .position = calloc(room, sizeof(int32_t)),
                      .sequence_count = calloc(room, sizeof(int32_t)), .sequence = calloc(room, sizeof(int32_t *)),
                      .want_logits = calloc(room, 1)};
    int32_t *sequence = calloc(room, sizeof(int32_t));
    for (int i = 0; i < room; i++) {
        b.sequence_count[i] = 1;
        b.sequence[i] = &sequence[i];
    }
    return b;
}

static void put_token(struct batch *b, int i, int32_t token, int position, int sequence, bool want_logits) {
    b->token[i] = token;
    b->position[i] = position;
    *b->sequence[i] = sequence;
    b->want_logits[i] = want_logits;
}

static volatile float sink; // keeps the logits observable

static void decode(void *context, struct batch b) {
    int32_t status = api.decode(context, b);
    if (status != 0) fail("decode returned %d", status);
    api.synchronize(context);
}

// prefill runs n tokens of sequence 0 in pieces of the batch size; logits of the last token.
static void prefill(const struct options *o, void *context, struct batch *b, int n, int vocab) {
    for (int done = 0; done < n;) {
        int count = n - done < o->batch ? n - done : o->batch;
        for (int i = 0; i < count; i++)
            put_token(b, i, random_token(vocab), done + i, 0, done + i == n - 1);
        b->count = count;
        decode(context, *b);
        done += count;
    }
    sink = *api.logits(context, -1);
}

// generate decodes n steps from an empty cache, one token of each sequence a step, logits of all.
static void generate(void *context, struct batch *b, int n, int sequences, int vocab) {
    for (int step = 0; step < n; step++) {
        for (int i = 0; i < sequences; i++)
            put_token(b, i, random_token(vocab), step, i, true);
        b->count = sequences;
        decode(context, *b);
        sink = *api.logits(context, sequences - 1);
    }
}

static void print_string(const char *key, const char *value) {
    printf("\"%s\": \"", key);
    for (; *value; value++) {
        if (*value == '"' || *value == '\\') putchar('\\');
        if ((unsigned char)*value >= 0x20) putchar(*value);
    }
    printf("\", ");
}

// print_cpu_library prints which of the package's libraries, one for each generation of CPUs, was chosen.
static void print_cpu_library(void) {
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    while (maps && fgets(line, sizeof line, maps)) {
        char *name = strstr(line, "libggml-cpu"), *end = name ? strstr(name, ".so") : NULL;
        if (!end) continue;
        *end = 0;
        print_string("cpu_library", name);
        break;
    }
    if (maps) fclose(maps);
}

static void print_result(const struct options *o, void *model, int prompt, int gen, const int64_t *ns) {
    char desc[256] = "";
    api.model_desc(model, desc, sizeof desc);
    double tokens = prompt + (double)gen * o->sequences;
    double sum = 0, rate = 0;
    for (int i = 0; i < o->repeats; i++) sum += ns[i], rate += tokens * 1e9 / ns[i];
    int n = o->repeats;
    putchar('{');
    print_string("build_commit", api.ggml_commit());
    print_string("build_version", api.ggml_version());
    print_cpu_library();
    print_string("model_filename", o->model);
    print_string("model_type", desc);
    printf("\"model_size\": %llu, \"model_n_params\": %llu, ", (unsigned long long)api.model_size(model),
           (unsigned long long)api.model_params(model));
    printf("\"n_batch\": %d, \"n_ubatch\": %d, \"n_threads\": %d, \"type_k\": \"f16\", \"type_v\": \"f16\", ", o->batch,
           o->ubatch, o->threads);
    printf("\"flash_attn\": %d, \"repack\": %d, \"n_prompt\": %d, \"n_gen\": %d, \"n_depth\": 0, \"n_parallel\": %d, ", o->flash,
           o->repack, prompt, gen, o->sequences);
    printf("\"avg_ns\": %.0f, \"avg_ts\": %.6f, \"samples_ns\": [", sum / n, rate / n);
    for (int i = 0; i < n; i++) printf("%s%lld", i ? ", " : "", (long long)ns[i]);
    printf("], \"samples_ts\": [");
    for (int i = 0; i < n; i++) printf("%s%.6f", i ? ", " : "", tokens * 1e9 / ns[i]);
    printf("]}\n");
    fflush(stdout); // the reader takes the time of this line
}

// run measures one test in a context of its own, after a warm-up that is not counted.
static void run(const struct options *o, void *model, int prompt, int gen) {
    int vocab = api.vocab_size(api.model_vocab(model));
    int sequences = gen ? o->sequences : 1;
    void *context = new_context(o, model, prompt + gen, sequences, 1);
    void *pool = new_pool(o->threads);
    api.attach_pool(context, pool, NULL);
    struct batch b = new_batch(o->batch > sequences ? o->batch : sequences);
    int64_t ns[MAX_REPEATS];
    for (int i = o->warmup ? -1 : 0; i < o->repeats; i++) {
        api.memory_clear(api.memory(context), false);
        int steps = i < 0 && gen > 4 ? 4 : gen;
        int64_t start = now_ns();
        if (prompt) prefill(o, context, &b, prompt, vocab);
        if (gen) generate(context, &b, steps, sequences, vocab);
        if (i >= 0) ns[i] = now_ns() - start;
    }
    print_result(o, model, prompt, gen, ns);
    api.context_free(context);
    api.pool_free(pool);
}

// surprise returns -ln p(next) of one row of logits.
static double surprise(const float *logits, int vocab, int next) {
    double top = -INFINITY, sum = 0;
    for (int i = 0; i < vocab; i++)
        if (logits[i] > top) top = logits[i];
    for (int i = 0; i < vocab; i++) sum += exp(logits[i] - top);
    return top + log(sum) - logits[next];
}

// perplexity of every token after the first of one sequence; pieces of 256 tokens bound the logits' memory.
static void perplexity(struct options *o, void *model) {
    FILE *f = fopen(o->tokens, "r");
    if (!f) fail("no file %s", o->tokens);
    int vocab = api.vocab_size(api.model_vocab(model)), n = 0, room = 1024;
    int32_t *token = calloc(room, sizeof *token);
    for (int v; fscanf(f, "%d", &v) == 1;) {
        if (v < 0 || v >= vocab) fail("token %d of a vocabulary of %d", v, vocab);
        if (n == room) token = realloc(token, (room *= 2) * sizeof *token);
        token[n++] = v;
    }
    fclose(f);
    if (n < 2) fail("%s has %d tokens, want 2 or more", o->tokens, n);
    o->batch = o->ubatch = 256;
    void *context = new_context(o, model, n, 1, o->batch), *pool = new_pool(o->threads);
    api.attach_pool(context, pool, NULL);
    struct batch b = new_batch(o->batch);
    double total = 0;
    for (int done = 0; done < n;) {
        int count = n - done < o->batch ? n - done : o->batch;
        for (int i = 0; i < count; i++)
            put_token(&b, i, token[done + i], done + i, 0, true);
        b.count = count;
        decode(context, b);
        for (int i = 0; i < count && done + i + 1 < n; i++)
            total += surprise(api.logits(context, i), vocab, token[done + i + 1]);
        done += count;
    }
    printf("{\"n_tokens\": %d, \"nll\": %.9f, \"perplexity\": %.9f}\n", n, total / (n - 1), exp(total / (n - 1)));
    api.context_free(context);
    api.pool_free(pool);
}

static int number(const char *flag, const char *text, int low, int high) {
    char *end;
    long v = strtol(text, &end, 10);
    if (end == text || *end || v < low || v > high) fail("%s %s: want a number from %d to %d", flag, text, low, high);
    return (int)v;
}

static int list(const char *flag, char *text, int *out) {
    int n = 0;
    for (char *part = strtok(text, ","); part; part = strtok(NULL, ",")) {
        if (n == MAX_TESTS) fail("%s: more than %d tests", flag, MAX_TESTS);
        int v = number(flag, part, 0, 1 << 20);
        if (v) out[n++] = v;
    }
    return n;
}

static struct options parse(int argc, char **argv) {
    struct options o = {.threads = 1, .repeats = 5, .batch = 2048, .ubatch = 512, .sequences = 1,
                        .flash = -1, .repack = 1, .load = -1, .warmup = true};
    for (int i = 1; i < argc; i++) {
        const char *flag = argv[i];
        if (!strcmp(flag, "--no-warmup")) {
            o.warmup = false;
            continue;
        }
        if (i + 1 == argc) fail("%s needs a value", flag);
        char *value = argv[++i];
        if (!strcmp(flag, "--lib")) o.lib = value;
        else if (!strcmp(flag, "-m")) o.model = value;
        else if (!strcmp(flag, "--tokens")) o.tokens = value;
        else if (!strcmp(flag, "-p")) o.prompt_count = list(flag, value, o.prompts);
        else if (!strcmp(flag, "-n")) o.generate_count = list(flag, value, o.generate);
        else if (!strcmp(flag, "-t")) o.threads = number(flag, value, 1, 512);
        else if (!strcmp(flag, "-r")) o.repeats = number(flag, value, 1, MAX_REPEATS);
        else if (!strcmp(flag, "-b")) o.batch = number(flag, value, 1, 1 << 20);
        else if (!strcmp(flag, "-ub")) o.ubatch = number(flag, value, 1, 1 << 20);
        else if (!strcmp(flag, "--batch")) o.sequences = number(flag, value, 1, 256);
        else if (!strcmp(flag, "-fa")) o.flash = number(flag, value, -1, 1);
        else if (!strcmp(flag, "--repack")) o.repack = number(flag, value, 0, 1);
        else if (!strcmp(flag, "--unified")) o.unified = number(flag, value, 0, 1);
        else if (!strcmp(flag, "--load")) o.load = number(flag, value, -1, 4);
        else if (!strcmp(flag, "-o")) {
            if (strcmp(value, "jsonl")) fail("-o %s: only jsonl is written", value);
        } else fail("unknown flag %s", flag);
    }
    if (!o.lib || !o.model) fail("--lib DIR and -m FILE are needed");
    return o;
}

int main(int argc, char **argv) {
    struct options o = parse(argc, argv);
    open_api(o.lib);
    void *model = load_model(&o);
    if (o.tokens) perplexity(&o, model);
    else {
        for (int i = 0; i < o.prompt_count; i++) run(&o, model, o.prompts[i], 0);
        for (int i = 0; i < o.generate_count; i++) run(&o, model, 0, o.generate[i]);
    }
    api.model_free(model);
    return 0;
}

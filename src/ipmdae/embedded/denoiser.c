/* The network and its windows; see @header@. Constants first, then layers from small to large, as
 * in the NumPy network of the package ultralight-ipm-dae, whose names they have.
 *
 * Memory. Levels of the network are arrays (time, channels), each half as long as the one before.
 * Those from LEVEL_WHOLE on, where a module looks at all times, hold the whole window; those before
 * it are computed in chunks and again when they are decoded, and the deepest one only where an
 * output is wanted. */
#include "@header@"

#include <math.h>
#include <string.h>

/* ---- settings and weights ------------------------------------------------------------------- */

@constants@
#if INT8
typedef int8_t weight;
#else
typedef float weight;
#endif

/* y = W x + bias, W (rows, columns); in int8 each row has a step; no bias: 0. */
typedef struct {
    int rows, columns;
    const weight *weights;
    const float *step, *bias;
} matrix;

/* A Mamba block. `a` of a branch is -exp(A_log) log2(e), (channels, states). */
typedef struct {
    matrix in_u, in_z, select, step, out;
    const float *taps, *taps_bias, *d;
} mamba_block;

typedef struct {
    matrix project, squeeze, excite;
    const float *a[2];
    int pooling;
} branch;

typedef struct {
    int branches, width;
    const float *norm_weight, *norm_bias;
    float skip_scale;
    const branch *branch;
    mamba_block block[2]; /* forward, backward in time */
} mf_ipm;

@weights@

/* ---- functions of numbers ------------------------------------------------------------------- */

#define LOG2E 1.44269504088896340736f

/* 2^x: 2^k times a polynomial of degree 5 in x - k, with k the nearest integer. */
static float exp2_(float x)
{
    union {
        float value;
        uint32_t bits;
    } power;
    int k;
    float f;
    if (!(x >= -126.0f)) return 0.0f; /* of NAN too */
    if (x > 126.0f) x = 126.0f;
    k = (int)(x < 0.0f ? x - 0.5f : x + 0.5f);
    f = x - (float)k;
    power.value = f * 0.0013264727490263928f + 0.009671512641763682f;
    power.value = power.value * f + 0.055507337423078194f;
    power.value = power.value * f + 0.24022242085357742f;
    power.value = power.value * f + 0.6931469775997527f;
    power.value = power.value * f + 1.0f;
    power.bits += (uint32_t)k << 23;
    return power.value;
}

static float exp_(float x) { return exp2_(x * LOG2E); }

static float relu(float x) { return x > 0.0f ? x : 0.0f; }

static float silu(float x) { return x / (1.0f + exp_(-x)); }

/* log(1 + e^x) = max(x, 0) + log(1 + e^-|x|), with a polynomial for log(1 + e), 0 <= e <= 1. */
static float softplus(float x)
{
    const float e = exp_(x < 0.0f ? x : -x);
    float ratio = e * 0.005364829877470392f - 0.030065813807100977f;
    ratio = ratio * e + 0.07920456930891585f;
    ratio = ratio * e - 0.13753805077659784f;
    ratio = ratio * e + 0.19153656156097842f;
    ratio = ratio * e - 0.2485716395532991f;
    ratio = ratio * e + 0.33321322650063023f;
    ratio = ratio * e - 0.4999964796466904f;
    return relu(x) + (ratio * e + 1.0f) * e;
}

static int smaller(int a, int b) { return a < b ? a : b; }
static int larger(int a, int b) { return a > b ? a : b; }

/* ---- products ------------------------------------------------------------------------------- */

enum finish { PLAIN, RELU, ADD_RELU, ADD };

static void put(float *y, float value, enum finish finish)
{
    if (finish == RELU || finish == ADD_RELU) value = relu(value);
    if (finish == ADD || finish == ADD_RELU) value += *y;
    *y = value;
}

/* y = W x for `count` rows x, `x_step` floats apart, with `columns` of W from `first` on only. */
static void multiply(const matrix *m, int first, int columns, const float *x, int x_step, int count,
                     float *y, int y_step, enum finish finish)
{
    int o, t, i;
    for (o = 0; o < m->rows; ++o) {
        const float bias = m->bias ? m->bias[o] : 0.0f;
#if INT8
        const weight *quantised = m->weights + o * m->columns + first;
        float w[MOST_COLUMNS];
        for (i = 0; i < columns; ++i) w[i] = (float)quantised[i] * m->step[o];
#else
        const float *w = m->weights + o * m->columns + first;
#endif
        for (t = 0; t + 4 <= count; t += 4) {
            const float *x0 = x + t * x_step, *x1 = x0 + x_step;
            const float *x2 = x1 + x_step, *x3 = x2 + x_step;
            float *out = y + t * y_step + o;
            float s0 = bias, s1 = bias, s2 = bias, s3 = bias;
            for (i = 0; i < columns; ++i) {
                s0 += w[i] * x0[i];
                s1 += w[i] * x1[i];
                s2 += w[i] * x2[i];
                s3 += w[i] * x3[i];
            }
            put(out, s0, finish);
            put(out + y_step, s1, finish);
            put(out + 2 * y_step, s2, finish);
            put(out + 3 * y_step, s3, finish);
        }
        for (; t < count; ++t) {
            float sum = bias;
            for (i = 0; i < columns; ++i) sum += w[i] * x[t * x_step + i];
            put(y + t * y_step + o, sum, finish);
        }
    }
}

static void project(const matrix *m, const float *x, int x_step, int count, float *y, int y_step,
                    enum finish finish)
{
    multiply(m, 0, m->columns, x, x_step, count, y, y_step, finish);
}

/* ---- levels and convolutions ---------------------------------------------------------------- */

/* Times first ... stop - 1 of a level of `length` times; beyond its ends it is zero. */
typedef struct {
    float *rows;
    int first, stop, length, channels;
} level;

static float *row(const level *x, int t) { return x->rows + (t - x->first) * x->channels; }

/* y_t = b + sum over j of W_j x_{stride t + j - before} for first <= t < stop, where y_first is at
 * `y`. W has its columns by j, then by channel of x. */
static void convolve(const matrix *m, const level *x, int stride, int before, int first, int stop,
                     float *y, int y_step, enum finish finish)
{
    const int taps = m->columns / x->channels;
    const int inside = (x->length - taps + before) / stride + 1; /* from there on x ends before W */
    int t = first;
    while (t < stop) {
        const int begin = stride * t - before, from = larger(begin, 0);
        const int end = smaller(begin + taps, x->length);
        int count = 1;
        if (from == begin && t < inside) count = smaller(stop, inside) - t;
        multiply(m, (from - begin) * x->channels, larger(end - from, 0) * x->channels, row(x, from),
                 stride * x->channels, count, y + (t - first) * y_step, y_step, finish);
        t += count;
    }
}

/* conv^T(x) at y's times; even and odd times have a matrix each. */
static void transposed(const matrix *m, const level *x, const level *y, enum finish finish)
{
    int parity;
    for (parity = 0; parity < 2; ++parity) {
        const int first = y->first + ((y->first + parity) & 1);
        if (first < y->stop)
            convolve(m + parity, x, 1, (KERNEL / 2 - parity) / 2, first / 2,
                     (y->stop - first + 1) / 2 + first / 2, row(y, first), 2 * y->channels, finish);
    }
}

/* The times of the level above that a strided convolution reads for x's times. */
static void widen(level *above, const level *x)
{
    above->first = smaller(above->first, larger(2 * x->first - KERNEL / 2, 0));
    above->stop = larger(above->stop, smaller(2 * x->stop - 1 + KERNEL / 2, above->length));
}

/* The times of the level below that a transposed convolution reads for x's times. */
static void narrow(level *below, const level *x)
{
    below->first = larger((x->first - KERNEL / 2 + 1) / 2, 0);
    below->stop = smaller((x->stop - 1 + KERNEL / 2) / 2 + 1, below->length);
}

/* Encodes the times of level k from level k - 1. */
static void encode(const level *levels, int k)
{
    const level *y = levels + k;
    convolve(encoder + k - 1, y - 1, 2, KERNEL / 2, y->first, y->stop, y->rows, y->channels, RELU);
}

/* ---- the MF-IPM module ---------------------------------------------------------------------- */

/* x = (x - mean) / sqrt(variance + eps) weight + bias, over the channels */
static void layer_norm(float *x, int channels, const float *weights, const float *bias)
{
    float mean = 0.0f, variance = 0.0f, factor;
    int c;
    for (c = 0; c < channels; ++c) mean += x[c];
    mean /= (float)channels;
    for (c = 0; c < channels; ++c) variance += (x[c] - mean) * (x[c] - mean);
    factor = 1.0f / sqrtf(variance / (float)channels + 1e-5f);
    for (c = 0; c < channels; ++c) x[c] = (x[c] - mean) * factor * weights[c] + bias[c];
}

/* u_t = silu(conv(u)_t) for `count` times, channel by channel; u begins with what came before. */
static void causal_convolution(const mamba_block *b, const float *before, float *u, int inner,
                               int count)
{
    int i, c, j;
    for (i = 0; i < count; ++i)
        for (c = 0; c < inner; ++c) {
            float sum = b->taps_bias[c];
            for (j = 0; j < TAPS; ++j) sum += b->taps[c * TAPS + j] * before[(i + j) * inner + c];
            u[i * inner + c] = silu(sum);
        }
}

/* h = exp(delta A) h + delta B u; u becomes y = C h + D u */
static void scan(const mamba_block *b, const float *a, float *state, float *u, const float *delta,
                 const float *selected, int inner, int count)
{
    int i, c, s;
    for (c = 0; c < inner; ++c) {
        float h[STATES];
        const float d = b->d[c];
        memcpy(h, state + c * STATES, sizeof h);
        for (i = 0; i < count; ++i) {
            const float *B = selected + i * b->select.rows + b->step.columns, *C = B + STATES;
            const float step = delta[i * inner + c], driven = step * u[i * inner + c];
            float y = d * u[i * inner + c];
            for (s = 0; s < STATES; ++s) {
                h[s] = exp2_(step * a[c * STATES + s]) * h[s] + driven * B[s];
                y += C[s] * h[s];
            }
            u[i * inner + c] = y;
        }
        memcpy(state + c * STATES, h, sizeof h);
    }
}

/* A Mamba block on `count` rows of x, `step` floats apart (less than 0: backward in time). From row
 * `wanted` on its output is added to the rows of y, `step` apart from that of `wanted`. */
static void mamba(const mamba_block *b, const float *a, const float *x, int step, int count,
                  int wanted, float *y, float *scratch)
{
    const int inner = b->in_u.rows;
    float *before = scratch, *u = before + (TAPS - 1 + ROWS) * inner, *z = u + ROWS * inner;
    float *delta = z + ROWS * inner, *state = delta + ROWS * inner;
    float *selected = state + STATES * inner;
    int t, i, n;
    memset(before, 0, sizeof(float) * (size_t)((TAPS - 1) * inner));
    memset(state, 0, sizeof(float) * (size_t)(STATES * inner));
    for (t = 0; t < count; t += n) {
        n = smaller(ROWS, (t < wanted ? wanted : count) - t);
        project(&b->in_u, x + t * step, step, n, before + (TAPS - 1) * inner, inner, PLAIN);
        causal_convolution(b, before, u, inner, n);
        memmove(before, before + n * inner, sizeof(float) * (size_t)((TAPS - 1) * inner));
        project(&b->select, u, inner, n, selected, b->select.rows, PLAIN);
        project(&b->step, selected, b->select.rows, n, delta, inner, PLAIN);
        for (i = 0; i < n * inner; ++i) delta[i] = softplus(delta[i]);
        scan(b, a, state, u, delta, selected, inner, n);
        if (t < wanted) continue;
        project(&b->in_z, x + t * step, step, n, z, inner, PLAIN);
        for (i = 0; i < n * inner; ++i) u[i] *= silu(z[i]);
        project(&b->out, u, inner, n, y + (t - wanted) * step, step, ADD);
    }
}

/* x_n = relu(pool(W_n norm(x))), in place: time t of branch n, with pooling w, is where its
 * channels are in row w t. */
static void split(const mf_ipm *m, const level *x, float *scratch)
{
    const int channels = x->channels;
    float *mean = scratch + POOLING * channels;
    int t, n, i, j, c;
    for (t = 0; t < x->length; t += POOLING) {
        const int rows = smaller(POOLING, x->length - t);
        memcpy(scratch, row(x, t), sizeof(float) * (size_t)(rows * channels));
        for (i = 0; i < rows; ++i)
            layer_norm(scratch + i * channels, channels, m->norm_weight, m->norm_bias);
        for (n = 0; n < m->branches; ++n) {
            const branch *one = m->branch + n;
            const int w = one->pooling;
            for (i = 0; i < rows / w; ++i) {
                const float *in = scratch + i * w * channels;
                for (c = 0; c < channels; ++c) {
                    mean[i * channels + c] = in[c];
                    for (j = 1; j < w; ++j) mean[i * channels + c] += in[j * channels + c];
                    mean[i * channels + c] /= (float)w;
                }
            }
            project(&one->project, mean, channels, rows / w, row(x, t) + n * m->width, w * channels,
                    RELU);
        }
    }
}

/* M_n = f(mean over time) + f(max over time), f = W_2 relu(W_1 .); fused = softmax(M M^T) M */
static void attention(const mf_ipm *m, const level *x, float *fused, float *scratch)
{
    const int d = m->width;
    float *importance = scratch, *summary = importance + m->branches * d, *hidden = summary + 2 * d;
    float *share = hidden + 2 * d;
    int n, t, c, k;
    for (n = 0; n < m->branches; ++n) {
        const branch *one = m->branch + n;
        const int w = one->pooling, count = x->length / w;
        for (c = 0; c < d; ++c) {
            const float *in = x->rows + n * d + c;
            float sum = 0.0f, peak = 0.0f; /* after a relu */
            for (t = 0; t < count; ++t) {
                const float value = in[t * w * x->channels];
                sum += value;
                if (value > peak) peak = value;
            }
            summary[c] = sum / (float)count;
            summary[d + c] = peak;
            importance[n * d + c] = 0.0f;
        }
        project(&one->squeeze, summary, d, 2, hidden, d, RELU);
        project(&one->excite, hidden, d, 1, importance + n * d, d, ADD);
        project(&one->excite, hidden + d, d, 1, importance + n * d, d, ADD);
    }
    for (n = 0; n < m->branches; ++n) {
        float highest = 0.0f, sum = 0.0f;
        for (k = 0; k < m->branches; ++k) {
            share[k] = 0.0f;
            for (c = 0; c < d; ++c) share[k] += importance[n * d + c] * importance[k * d + c];
            if (k == 0 || share[k] > highest) highest = share[k];
        }
        for (k = 0; k < m->branches; ++k) sum += share[k] = exp_(share[k] - highest);
        for (c = 0; c < d; ++c) {
            float value = 0.0f;
            for (k = 0; k < m->branches; ++k) value += share[k] / sum * importance[k * d + c];
            fused[n * d + c] = value;
        }
    }
}

/* The branches side by side at y's times, upsampled, and normed. From the last time to the first:
 * what is upsampled is in the first of the rows it goes to. */
static void join(const mf_ipm *m, const level *y)
{
    const int d = m->width;
    int t, n;
    for (t = y->stop - 1; t >= y->first; --t) {
        for (n = 0; n < m->branches; ++n) {
            const int w = m->branch[n].pooling;
            float *to = row(y, t) + n * d;
            if (t >= y->length / w * w)
                memset(to, 0, sizeof(float) * (size_t)d);
            else if (t % w)
                memcpy(to, row(y, t - t % w) + n * d, sizeof(float) * (size_t)d);
        }
        layer_norm(row(y, t), y->channels, m->norm_weight, m->norm_bias);
    }
}

/* y = module(x) at y's times, the first of which is a multiple of POOLING; x is overwritten. */
static void module(const mf_ipm *m, const level *x, const level *y, float *scratch)
{
    const int d = m->width, channels = x->channels;
    float *fused = scratch, *rest = fused + channels;
    int n, t, c;
    split(m, x, scratch);
    attention(m, x, fused, rest);
    memset(y->rows, 0, sizeof(float) * (size_t)((y->stop - y->first) * channels));
    for (n = 0; n < m->branches; ++n) {
        const branch *one = m->branch + n;
        const int w = one->pooling, count = x->length / w, step = w * channels;
        const int first = y->first / w, stop = smaller((y->stop - 1) / w + 1, count);
        float *in = x->rows + n * d, *out = y->rows + n * d;
        if (first >= stop) continue;
        mamba(&m->block[0], one->a[0], in, step, stop, first, out, rest);
        mamba(&m->block[1], one->a[1], in + (count - 1) * step, -step, count - first, count - stop,
              out + (stop - 1 - first) * step, rest);
        for (t = first; t < stop; ++t)
            for (c = 0; c < d; ++c) {
                float *value = out + (t - first) * step + c;
                *value = *value * fused[n * d + c] + m->skip_scale * in[t * step + c];
            }
    }
    join(m, y);
}

/* ---- windows -------------------------------------------------------------------------------- */

/* Place in the ring of sample t of a window of `length` samples that ends with the newest; before
 * the first sample the signal is mirrored, again and again. */
static int place(const ipmdae *lead, int length, int t)
{
    int back = length - 1 - t; /* samples before the newest */
    if (back >= lead->filled) {
        back %= 2 * lead->filled;
        if (back >= lead->filled) back = 2 * lead->filled - 1 - back;
    }
    back = lead->newest - 1 - back;
    return back < 0 ? back + IPMDAE_WINDOW : back;
}

static int is_missing(const ipmdae *lead, int at)
{
    return lead->missing[at / 8] >> (at % 8) & 1;
}

/* Heapsort. */
static void sort(float *x, int count)
{
    int heap = count / 2, end = count;
    while (end > 1) {
        int parent, child;
        float value;
        if (heap > 0) {
            value = x[--heap];
        } else {
            value = x[--end];
            x[end] = x[0];
        }
        parent = heap;
        while ((child = 2 * parent + 1) < end) {
            if (child + 1 < end && x[child] < x[child + 1]) ++child;
            if (x[child] <= value) break;
            x[parent] = x[child];
            parent = child;
        }
        x[parent] = value;
    }
}

static float percentile(const float *sorted, int count, float percent)
{
    const float position = (float)(count - 1) * (percent / 100.0f);
    const int below = (int)position;
    const float left = sorted[below], right = sorted[smaller(below + 1, count - 1)];
    return left + (right - left) * (position - (float)below);
}

/* Median and half the distance of the 5th and 95th percentile (1 in an almost flat window) of the
 * samples that are not missing. Returns 0 if the window is flat. */
static int robust_scale(ipmdae *lead, int length, float *offset, float *scale)
{
    float *sorted = lead->work;
    int count = 0, t;
    for (t = 0; t < length; ++t) {
        const int at = place(lead, length, t);
        if (!is_missing(lead, at)) sorted[count++] = lead->samples[at];
    }
    *offset = lead->samples[place(lead, length, length - 1)];
    *scale = 1.0f;
    if (count == 0) return 0;
    sort(sorted, count);
    *offset = percentile(sorted, count, 50.0f);
    *scale = (percentile(sorted, count, 95.0f) - percentile(sorted, count, 5.0f)) / 2.0f;
    if (!(*scale > FLAT)) *scale = 1.0f;
    return sorted[count - 1] - sorted[0] > FLAT;
}

/* The window that ends with the newest sample. */
typedef struct {
    int length, first, stop; /* samples; those from first to stop - 1 are wanted */
    float offset, scale;
} window;

/* Level 0 at its times: the scaled samples. */
static void read_samples(const ipmdae *lead, const window *w, const level *x)
{
    int t;
    for (t = x->first; t < x->stop; ++t)
        *row(x, t) = (lead->samples[place(lead, w->length, t)] - w->offset) / w->scale;
}

/* The levels of a window: whole, or without times, which `widen` sets. */
static void start_levels(ipmdae *lead, int length, level *levels)
{
    int k;
    for (k = 0; k <= LEVELS; ++k) {
        const int whole = k >= LEVEL_WHOLE;
        levels[k].rows = lead->work + level_offset[k];
        levels[k].first = whole ? 0 : length;
        levels[k].stop = whole ? length : 0;
        levels[k].length = length;
        levels[k].channels = level_channels[k];
        length = (length + 1) / 2;
    }
}

/* Encodes the levels from 1 to k where level k is wanted. */
static void encode_to(const ipmdae *lead, const window *w, level *levels, int k)
{
    int j;
    for (j = k - 1; j >= 0; --j) widen(levels + j, levels + j + 1);
    read_samples(lead, w, levels);
    for (j = 1; j <= k; ++j) encode(levels, j);
}

/* Levels from LEVEL_WHOLE on, the deepest one where `deep` wants it. */
static void encode_window(const ipmdae *lead, const window *w, level *levels, const level *deep)
{
    const int rows = larger(CHUNK >> LEVEL_WHOLE, 1);
    int t, k;
    for (t = 0; t < levels[LEVEL_WHOLE].length; t += rows) {
        level part[LEVELS + 1];
        memcpy(part, levels, sizeof part);
        part[LEVEL_WHOLE].rows = row(levels + LEVEL_WHOLE, t);
        part[LEVEL_WHOLE].first = t;
        part[LEVEL_WHOLE].stop = smaller(t + rows, levels[LEVEL_WHOLE].length);
        encode_to(lead, w, part, LEVEL_WHOLE);
    }
    for (k = LEVEL_WHOLE + 1; k < LEVELS; ++k) encode(levels, k);
    levels[LEVELS].first = deep->first;
    levels[LEVELS].stop = deep->stop;
    encode(levels, LEVELS);
}

/* The deep levels of the decoder where the window's output is wanted: `wanted` gets them. */
static void decode_deep(ipmdae *lead, const window *w, level *wanted)
{
    level levels[LEVELS + 1];
    int k;
    start_levels(lead, w->length, levels);
    memcpy(wanted, levels, sizeof levels);
    wanted[0].first = w->first;
    wanted[0].stop = w->stop;
    for (k = 1; k <= LEVELS; ++k) {
        narrow(wanted + k, wanted + k - 1);
        if (k >= LEVEL_WHOLE && k < LEVELS) {
            wanted[k].first -= wanted[k].first % POOLING;
            wanted[k].rows = lead->work + decoded_offset[k];
        }
    }
    encode_window(lead, w, levels, wanted + LEVELS);
    for (k = LEVEL_WHOLE; k < LEVELS; ++k)
        module(modules + k - LEVEL_WHOLE, levels + k, wanted + k, lead->work + SCRATCH);
    for (k = LEVELS; k > LEVEL_WHOLE; --k)
        transposed(decoder[k - 1], wanted + k, wanted + k - 1, ADD_RELU);
}

/* Output of the network for samples first ... stop - 1, (time, outputs) at the returned level. */
static level decode_chunk(ipmdae *lead, const window *w, const level *deep, int first, int stop)
{
    level levels[LEVELS + 1], decoded[LEVELS + 1], output;
    int k;
    memcpy(levels, deep, sizeof levels);
    levels[0].first = first;
    levels[0].stop = stop;
    for (k = 1; k < LEVEL_WHOLE; ++k) narrow(levels + k, levels + k - 1);
    memcpy(decoded, levels, sizeof levels);
    encode_to(lead, w, levels, LEVEL_WHOLE - 1);
    for (k = LEVEL_WHOLE - 1; k > 0; --k) {
        decoded[k].rows = row(levels + k, decoded[k].first);
        transposed(decoder[k], decoded + k + 1, decoded + k, ADD_RELU);
    }
    output = decoded[0];
    output.channels = OUTPUTS;
    transposed(decoder[0], decoded + 1, &output, PLAIN);
    return output;
}

/* Fades one output into that of the window before, or keeps it for the next; returns whether it is
 * settled. `t` counts the wanted samples of the window. */
static int settle(ipmdae *lead, const window *w, int t, int kept, float *cleaned, float *deviation)
{
    const int tail = t - (w->stop - w->first - kept);
    if (t < lead->faded) {
        *cleaned = (1.0f - rise[t]) * lead->tail[0][t] + rise[t] * *cleaned;
        *deviation = (1.0f - rise[t]) * lead->tail[1][t] + rise[t] * *deviation;
    }
    if (tail < 0) return 1;
    lead->tail[0][tail] = *cleaned;
    lead->tail[1][tail] = *deviation;
    return 0;
}

/* Runs the network over the window that ends with the newest sample. Of the pending samples the last
 * `margin` are left to the next window, and `kept` before them are to be faded into it; returns the
 * number of the others. */
static size_t run(ipmdae *lead, int margin, int kept, float *cleaned, float *deviation)
{
    level deep[LEVELS + 1];
    window w;
    size_t count = 0;
    int t, stop, active;
    const int lacking = IPMDAE_WINDOW - larger(lead->filled, IPMDAE_SHORTEST);
    /* Shorter than in training by a multiple of 2^LEVELS: else the levels end at other samples. */
    w.length = IPMDAE_WINDOW - (lacking >> LEVELS << LEVELS);
    w.first = w.length - lead->pending;
    w.stop = w.length - margin;
    active = robust_scale(lead, w.length, &w.offset, &w.scale);
    if (active) decode_deep(lead, &w, deep);
    for (t = w.first; t < w.stop; t = stop) {
        level y = {0};
        int s;
        stop = smaller(t + CHUNK, w.stop);
        if (active) y = decode_chunk(lead, &w, deep, t, stop);
        for (s = t; s < stop; ++s) {
            const int at = place(lead, w.length, s);
            const float noisy = lead->samples[at] - w.offset;
            float value = noisy, spread = 0.0f;
            if (active) {
                value = *row(&y, s) * w.scale;
                if (RESIDUAL) value = noisy - value;
                spread = OUTPUTS == 2 ? exp_(row(&y, s)[OUTPUTS - 1]) * w.scale : NAN;
            }
            if (settle(lead, &w, s - w.first, kept, &value, &spread)) {
                cleaned[count] = is_missing(lead, at) ? NAN : value;
                if (deviation) deviation[count] = is_missing(lead, at) ? NAN : spread;
                ++count;
            }
        }
    }
    lead->faded = kept;
    lead->pending -= (int)count;
    return count;
}

void ipmdae_init(ipmdae *lead)
{
    memset(lead, 0, sizeof *lead);
    lead->due = IPMDAE_LATENCY;
}

/* Puts a sample into the ring. */
static void keep(ipmdae *lead, float sample)
{
    const int at = lead->newest, last = at ? at - 1 : IPMDAE_WINDOW - 1;
    const int known = sample >= -1e6f && sample <= 1e6f; /* not of NAN */
    const uint8_t bit = (uint8_t)(1u << (at % 8));
    int t;
    if (known && !lead->begun) { /* the samples before the first known one get its value */
        for (t = 0; t < IPMDAE_WINDOW; ++t) lead->samples[t] = sample;
        lead->begun = 1;
    }
    lead->samples[at] = known ? sample : lead->samples[last];
    lead->missing[at / 8] = (uint8_t)(known ? lead->missing[at / 8] & ~bit
                                            : lead->missing[at / 8] | bit);
    lead->newest = at + 1 < IPMDAE_WINDOW ? at + 1 : 0;
    if (lead->filled < IPMDAE_WINDOW) ++lead->filled;
    ++lead->pending;
    --lead->due;
}

size_t ipmdae_push(ipmdae *lead, const float *samples, size_t count, float *cleaned,
                   float *deviation)
{
    size_t done = 0, i;
    for (i = 0; i < count; ++i) {
        keep(lead, samples[i]);
        if (lead->due > 0) continue;
        done += run(lead, IPMDAE_MARGIN, IPMDAE_FADE, cleaned + done,
                    deviation ? deviation + done : NULL);
        lead->due = IPMDAE_HOP;
    }
    return done;
}

size_t ipmdae_flush(ipmdae *lead, float *cleaned, float *deviation)
{
    size_t count = 0;
    if (lead->pending > 0) {
        /* No sample since the last window: its own end is what remains. */
        if (lead->due == IPMDAE_HOP) lead->faded = 0;
        count = run(lead, 0, 0, cleaned, deviation);
    }
    ipmdae_init(lead);
    return count;
}

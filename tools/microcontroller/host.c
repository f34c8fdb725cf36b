/* Denoises float32 samples from stdin, in blocks of random sizes by the seed in argument 1, and
 * writes the pairs of cleaned sample and deviation to stdout. */
#include HEADER

#include <stdio.h>
#include <stdlib.h>

enum { LARGEST = 3 * IPMDAE_HOP };

static ipmdae lead;
static float samples[LARGEST], cleaned[IPMDAE_MOST(LARGEST) + IPMDAE_LATENCY];
static float deviation[IPMDAE_MOST(LARGEST) + IPMDAE_LATENCY];

static void save(size_t count)
{
    size_t i;
    for (i = 0; i < count; ++i) {
        fwrite(cleaned + i, sizeof(float), 1, stdout);
        fwrite(deviation + i, sizeof(float), 1, stdout);
    }
}

int main(int argc, char **argv)
{
    size_t count;
    srand(argc > 1 ? (unsigned)atoi(argv[1]) : 0u);
    ipmdae_init(&lead);
    do {
        const size_t wanted = (size_t)(1 + rand() % LARGEST);
        count = fread(samples, sizeof(float), wanted, stdin);
        save(ipmdae_push(&lead, samples, count, cleaned, deviation));
    } while (count > 0);
    save(ipmdae_flush(&lead, cleaned, deviation));
    return 0;
}

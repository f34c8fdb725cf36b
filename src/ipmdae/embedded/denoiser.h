/* @about@
 *
 * Removes baseline wander, electrode-motion and muscle noise from one ECG lead as its samples
 * arrive. C99, float32; no allocation, no global variables, and of the C library only sqrtf,
 * memcpy, memmove and memset. Compile without -ffast-math: NAN marks missing samples.
 *
 *     static ipmdae denoiser;                     about @kilobytes@ kB
 *     float cleaned[IPMDAE_MOST(1)], deviation[IPMDAE_MOST(1)];
 *
 *     ipmdae_init(&denoiser);
 *     for (;;) {
 *         const float sample = read_millivolts();
 *         const size_t count = ipmdae_push(&denoiser, &sample, 1, cleaned, deviation);
 *         use(cleaned, deviation, count);
 *     }
 *
 * Input is in mV at IPMDAE_RATE Hz; other rates have to be resampled before. Each IPMDAE_HOP
 * samples one call runs the network over the last IPMDAE_WINDOW samples and returns IPMDAE_HOP
 * samples; the others return at once. Sample t is returned when IPMDAE_LATENCY samples from t on
 * have been pushed, at the latest.
 *
 * This is the network alone. Unlike the Python package it has no guard that limits what may be
 * changed, grades no segments, removes no powerline interference and keeps no pacing spikes. The
 * predicted standard deviation of the error shows where not to trust it. For research and
 * engineering, not for diagnosis. */
#ifndef IPMDAE_DENOISER_H
#define IPMDAE_DENOISER_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

@settings@

/* Most samples that one call with so many new ones may return. */
#define IPMDAE_MOST(count) (((count) / IPMDAE_HOP + 1) * IPMDAE_HOP)

/* A lead. Treat the members as private. */
typedef struct {
    float samples[IPMDAE_WINDOW];            /* the last ones, a ring */
    uint8_t missing[(IPMDAE_WINDOW + 7) / 8]; /* a bit for each of them */
    float tail[2][IPMDAE_FADE];              /* of the last window: to be faded into the next */
    float work[IPMDAE_WORK];
    int newest;  /* place of the next sample in the ring */
    int filled;  /* samples in the ring */
    int pending; /* samples pushed and not returned */
    int due;     /* samples until the next window */
    int faded;   /* samples in `tail`: IPMDAE_FADE after the first window */
    int begun;   /* whether any sample was not missing */
} ipmdae;

/* Begins a lead, or begins anew. */
void ipmdae_init(ipmdae *lead);

/* Takes `count` samples in mV. A sample that is not finite, or beyond 1e6 mV, is missing: the last
 * one before it is held in its place, and NAN is returned there.
 *
 * Returns how many samples follow those returned before; `cleaned` gets them, in mV about zero (the
 * lead's offset is baseline wander), and `deviation` the predicted standard deviation of the error
 * of each in mV (NAN if the model has none). Both hold IPMDAE_MOST(count) samples; `deviation` may
 * be NULL. A window that is flat within 1 uV is returned less its offset, with deviation 0. */
size_t ipmdae_push(ipmdae *lead, const float *samples, size_t count, float *cleaned,
                   float *deviation);

/* Ends a lead: returns the remaining samples and begins anew. They are less than IPMDAE_LATENCY,
 * which `cleaned` and `deviation` have to hold: more than IPMDAE_MOST(1). */
size_t ipmdae_flush(ipmdae *lead, float *cleaned, float *deviation);

#ifdef __cplusplus
}
#endif

#endif

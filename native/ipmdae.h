/* The C interface of libipmdae. All arrays are float32, row-major and contiguous.
 *
 * Functions that can fail return 0 on success, 1 for a size below zero (or no states or taps) or one
 * that does not fit the others, and 2 when memory runs out. Results do not depend on the number of
 * threads.
 */
#pragma once

#include <stdint.h>

#if defined(_WIN32)
#define IPMDAE_API __declspec(dllexport)
#else
#define IPMDAE_API __attribute__((visibility("default")))
#endif

#ifdef __cplusplus
extern "C" {
#endif

/* Version of this interface, which the library also reports: it changes with any signature. */
#define IPMDAE_INTERFACE 3
IPMDAE_API int ipmdae_interface(void);

/* The instruction set in use: "avx512", "avx2", "sse42" or "generic". */
IPMDAE_API const char* ipmdae_instruction_set(void);

/* Chooses an instruction set by name; 1 where this processor cannot run it. */
IPMDAE_API int ipmdae_set_instruction_set(const char* name);

/* At most so many threads work on a call; less than 1 counts as 1. */
IPMDAE_API void ipmdae_set_threads(int threads);

/* y (batch, length, d) of the selective scan. h0 and h_last (batch, d, n) may be null: the scan
 * then starts at zero, or its last state is not wanted. They may be the same array. */
IPMDAE_API int ipmdae_scan_forward(const float* u, const float* delta, const float* A,
                                   const float* B, const float* C, const float* D,
                                   const float* h0, float* y, float* h_last, int64_t batch,
                                   int64_t length, int64_t d, int64_t n);

/* Gradients of a scan that started at zero, for the gradient dy of its output. dA (d, n) and
 * dD (d,) are summed over the batch. */
IPMDAE_API int ipmdae_scan_backward(const float* u, const float* delta, const float* A,
                                    const float* B, const float* C, const float* D,
                                    const float* dy, float* du, float* ddelta, float* dA,
                                    float* dB, float* dC, float* dD, int64_t batch,
                                    int64_t length, int64_t d, int64_t n);

/* The scan of a Mamba block: with delta = softplus(s), and out = y silu(z). Rows of z are `z_row`
 * floats apart, those of B and of C `row`. y is kept for the gradients, which are contiguous. */
IPMDAE_API int ipmdae_gated_scan_forward(const float* u, const float* s, const float* A,
                                         const float* B, const float* C, const float* D,
                                         const float* z, float* y, float* out, int64_t batch,
                                         int64_t length, int64_t d, int64_t n, int64_t row,
                                         int64_t z_row);
IPMDAE_API int ipmdae_gated_scan_backward(const float* u, const float* s, const float* A,
                                          const float* B, const float* C, const float* D,
                                          const float* z, const float* y, const float* dout,
                                          float* du, float* ds, float* dA, float* dB, float* dC,
                                          float* dD, float* dz, int64_t batch, int64_t length,
                                          int64_t d, int64_t n, int64_t row, int64_t z_row);

/* y (batch, length, d) = silu of the causal convolution of each channel of u by itself, with
 * weight (d, taps) and bias (d,). Rows of u are `row` floats apart; the gradients, for dy, are
 * contiguous, dweight and dbias summed over the batch. */
IPMDAE_API int ipmdae_convolution_forward(const float* u, const float* weight, const float* bias,
                                          float* y, int64_t batch, int64_t length, int64_t d,
                                          int64_t taps, int64_t row);
IPMDAE_API int ipmdae_convolution_backward(const float* u, const float* weight, const float* bias,
                                           const float* dy, float* du, float* dweight,
                                           float* dbias, int64_t batch, int64_t length, int64_t d,
                                           int64_t taps, int64_t row);

/* A network ready to run. Its instruction set is the one in use when it was opened. */
typedef struct ipmdae_network ipmdae_network;

/* Opens a network. `description` is, in `count` numbers: leads, kernel, pool_cap (0: none), d_state,
 * d_conv, expand; 1 where attention is that of the figure, where fusion is, where unused projections
 * are owned, where the network is residual, and where it gives its uncertainty, else 0; the number
 * of stages, the channels of each, the branches (0: a plain skip) of each but the last. `tensors`
 * are the weights in the order of expected_shapes in Python, copied here, and `sizes` the floats in
 * each. 1 where the description is not that of a network of tensors of these sizes. */
IPMDAE_API int ipmdae_network_open(const int32_t* description, int64_t count,
                                   const float* const* tensors, const int64_t* sizes,
                                   int64_t tensor_count, ipmdae_network** network);

/* y (batch, samples, outputs) of x (batch, samples, leads), with at least one sample; outputs are
 * leads, or twice as many with uncertainty. x_size and y_size are the floats in x and y, 1 where
 * they are others. Several threads may run one network. */
IPMDAE_API int ipmdae_network_run(ipmdae_network* network, const float* x, int64_t x_size, float* y,
                                  int64_t y_size, int64_t batch, int64_t samples);

/* Frees a network that no thread runs; null is allowed. */
IPMDAE_API void ipmdae_network_close(ipmdae_network* network);

/* y = e^x as the scan computes it, for x <= 87. */
IPMDAE_API void ipmdae_exp(const float* x, float* y, int64_t count);

#ifdef __cplusplus
}
#endif

// The kernels of one instruction set. Compiled once for each, with its flags and
// IPMDAE_KERNELS naming the table: everything else here is local to this file.
#include "kernels.hpp"

#include "causal_convolution.hpp"
#include "gated_scan.hpp"
#include "ipm_dae.hpp"

namespace {

void exponential(const float* x, float* y, std::ptrdiff_t count) {
    for (std::ptrdiff_t i = 0; i < count; i += kWidth) {
        const int lanes = count - i < kWidth ? int(count - i) : kWidth;
        store<false>(y + i, exp2(load<false>(x + i, lanes) * kLog2E), lanes);
    }
}

#define IPMDAE_TEXT_OF(name) #name
#define IPMDAE_TEXT(name) IPMDAE_TEXT_OF(name)

}  // namespace

namespace ipmdae {

extern const Kernels IPMDAE_KERNELS;
const Kernels IPMDAE_KERNELS = {
    IPMDAE_TEXT(IPMDAE_KERNELS),
    kWidth,
    forward,
    forward_scratch,
    backward,
    backward_scratch,
    gated_forward,
    gated_backward,
    gated_scratch,
    convolve,
    convolve_backward,
    convolution_scratch,
    open_network,
    exponential,
};

}  // namespace ipmdae

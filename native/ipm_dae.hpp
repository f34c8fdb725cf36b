// The whole network: encoder, skip modules, decoder.
//
//     E_k = relu(conv(E_{k-1}));  D_1 = relu(conv^T(E_K)), and upwards
//     D_k = relu(conv^T(D_{k-1} + module(E_{K-k+1}))), without relu at the end
//
// A module replaces its E_k, which the next stage has then read, and the decoder's stage of that
// length is added to it: the encoder's arrays serve the decoder as well. A stage without branches
// has no module: its E_k stays as it is.
#pragma once

#include "architecture.hpp"
#include "convolution.hpp"
#include "mf_ipm.hpp"

namespace {

class IpmDae final : public ipmdae::Network {
public:
    [[gnu::cold]] IpmDae(const ipmdae::Architecture& architecture, const float* const* first)
        : architecture_(architecture) {
        Tensors tensors(first);
        const int stages = architecture.stages, kernel = architecture.kernel;
        for (int k = 0; k < stages; ++k)
            encoder_.emplace_back(tensors, channels(k), row_width(k), channels(k + 1), kernel);
        for (int k = 0; k < stages - 1; ++k)
            modules_.push_back(architecture.branches[k] ? MfIpm(tensors, architecture, k) : MfIpm());
        for (int k = stages; k > 0; --k)
            decoder_.emplace_back(tensors, channels(k), row_width(k),
                                  k > 1 ? channels(k - 1) : architecture.outputs(), kernel);
    }

    std::uint64_t workspace(std::ptrdiff_t samples) const override {
        Arena arena(nullptr);
        const Memory memory(*this, samples, arena);
        std::uint64_t most = arena.used();
        for (int k = 0; k < int(modules_.size()); ++k) {
            if (!architecture_.branches[k]) continue;
            Arena rest = arena;
            const MfIpm::Memory working(modules_[k], memory.levels[k + 1].length, rest);
            most = std::max(most, rest.used());
        }
        return most;
    }

    void run(const float* x, float* y, std::ptrdiff_t samples, float* start) const override {
        Arena arena(start);
        const Memory memory(*this, samples, arena);
        const int stages = architecture_.stages;
        std::memcpy(memory.levels[0].start, x, sizeof(float) * samples * architecture_.leads);
        for (int k = 0; k < stages; ++k) {
            encoder_[k].run(memory.levels[k], memory.levels[k + 1]);
            if (k > 0 && architecture_.branches[k - 1]) run_module(k - 1, memory.levels[k], arena);
        }
        for (int k = stages; k > 1; --k)
            decoder_[stages - k].run(memory.levels[k], memory.levels[k - 1], {true, true});
        decoder_[stages - 1].run(memory.levels[1], memory.result, {});
        const int leads = architecture_.leads, outputs = architecture_.outputs();
        for (std::ptrdiff_t t = 0; t < samples; ++t, x += leads, y += outputs) {
            std::memcpy(y, memory.result.row(t), sizeof(float) * outputs);
            if (!architecture_.residual) continue;
            for (int lead = 0; lead < leads; ++lead) y[lead] = x[lead] - y[lead];
        }
    }

private:
    // Arrays for one window: the input, what each stage makes of it, and the result.
    struct Memory {
        Signal levels[ipmdae::kMostStages + 1], result;

        Memory(const IpmDae& network, std::ptrdiff_t samples, Arena& arena) {
            const int margin = margin_for(network.architecture_.kernel);
            result = Signal(arena, samples, padded(network.architecture_.outputs()), 0);
            for (int k = 0; k <= network.architecture_.stages; ++k) {
                levels[k] = Signal(arena, samples, network.row_width(k), margin);
                samples = (samples + 1) / 2;
            }
        }
    };

    // Channels of level k: the input is level 0, its rows are not padded.
    int channels(int k) const { return k ? architecture_.channels[k - 1] : architecture_.leads; }
    int row_width(int k) const { return k ? padded(channels(k)) : channels(k); }

    void run_module(int k, const Signal& level, Arena arena) const {
        modules_[k].run(level, MfIpm::Memory(modules_[k], level.length, arena));
    }

    const ipmdae::Architecture architecture_;
    std::vector<StridedConvolution> encoder_;
    std::vector<MfIpm> modules_;
    std::vector<TransposedConvolution> decoder_;
};

[[gnu::cold]] ipmdae::Network* open_network(const ipmdae::Architecture& architecture,
                              const float* const* tensors) {
    return new IpmDae(architecture, tensors);
}

}  // namespace

// The C interface to whole networks: reads the description, shares the windows out to threads.
#include <memory>

#include "ipmdae.h"
#include "no_denormals.hpp"
#include "pool.hpp"
#include "runtime.hpp"

namespace ipmdae {

Network::~Network() = default;

namespace {

// Working memory for windows of one length, kept from one run to the next.
struct Workspaces {
    Workspaces(std::uint64_t floats, int slices)
        : floats(floats), slices(slices), scratch(floats, slices) {}
    std::uint64_t floats;
    int slices;
    Scratch scratch;
};

// Reads positive numbers from a description, and notes whether all were in their range.
class Reader {
public:
    Reader(const std::int32_t* next, std::int64_t count) : next_(next), end_(next + count) {}

    int number(int lowest = 1) {
        constexpr int kHighest = 1 << 20;
        const int value = next_ < end_ ? *next_++ : -1;
        valid_ = valid_ && value >= lowest && value <= kHighest;
        return value;
    }
    bool valid_to_the_end() const { return valid_ && next_ == end_; }
    bool valid() const { return valid_; }

private:
    const std::int32_t *next_, *end_;
    bool valid_ = true;
};

bool read(const std::int32_t* description, std::int64_t count, Architecture& result) {
    Reader reader(description, count);
    result.leads = reader.number();
    result.kernel = reader.number(3);
    result.pool_cap = reader.number(0);
    result.d_state = reader.number();
    result.d_conv = reader.number();
    result.expand = reader.number();
    result.attention_of_sum = reader.number(0);
    result.fusion_projected = reader.number(0);
    result.fusion_weights = reader.number(0) || result.fusion_projected;
    result.residual = reader.number(0);
    result.uncertainty = reader.number(0);
    result.stages = reader.number();
    if (!reader.valid() || result.stages > kMostStages || result.kernel % 2 == 0) return false;
    for (int k = 0; k < result.stages; ++k) result.channels[k] = reader.number();
    for (int k = 0; k < result.stages - 1; ++k) result.branches[k] = reader.number(0);
    if (!reader.valid_to_the_end()) return false;
    for (int k = 0; k < result.stages - 1; ++k)
        if (result.branches[k] && result.channels[k] % result.branches[k]) return false;
    return true;
}

std::int64_t tensor_count(const Architecture& architecture) {
    std::int64_t count = 4 * std::int64_t{architecture.stages};
    const int module = 3 + (architecture.fusion_weights ? 3 : 0) + 2 * 8;
    for (int k = 0; k < architecture.stages - 1; ++k)
        if (architecture.branches[k]) count += module + 5 * std::int64_t{architecture.branches[k]};
    return count;
}

}  // namespace
}  // namespace ipmdae

struct ipmdae_network {
    std::unique_ptr<const ipmdae::Network> network;
    int leads, outputs;
    std::atomic<ipmdae::Workspaces*> spare{nullptr};

    ~ipmdae_network() { delete spare.load(); }

    // The memory of an earlier run where it is large enough and no other run has it.
    std::unique_ptr<ipmdae::Workspaces> take(std::uint64_t floats, int slices) {
        std::unique_ptr<ipmdae::Workspaces> found(spare.exchange(nullptr));
        if (found && found->floats >= floats && found->slices >= slices) return found;
        found.reset();
        return std::make_unique<ipmdae::Workspaces>(floats, slices);
    }
    void give_back(std::unique_ptr<ipmdae::Workspaces> used) {
        delete spare.exchange(used.release());
    }
};

extern "C" {

int ipmdae_network_open(const int32_t* description, int64_t count, const float* const* tensors,
                        int64_t tensor_count, ipmdae_network** network) {
    ipmdae::Architecture architecture{};
    if (!ipmdae::read(description, count, architecture) ||
        ipmdae::tensor_count(architecture) != tensor_count)
        return 1;
    return ipmdae::guarded([&] {
        auto opened = std::make_unique<ipmdae_network>();
        opened->network.reset(ipmdae::chosen_kernels.load()->open_network(architecture, tensors));
        opened->leads = architecture.leads;
        opened->outputs = architecture.outputs();
        *network = opened.release();
    });
}

int ipmdae_network_run(ipmdae_network* network, const float* x, float* y, int64_t batch,
                       int64_t samples) {
    constexpr std::int64_t kLongest = 1 << 30;
    if (batch < 0 || samples < 1) return 1;
    if (samples > kLongest) return 2;
    if (batch == 0) return 0;
    return ipmdae::guarded([&] {
        const int threads = int(std::min<std::int64_t>(batch, ipmdae::thread_limit));
        auto memory = network->take(network->network->workspace(samples), threads);
        const std::int64_t in = samples * network->leads, out = samples * network->outputs;
        ipmdae::parallel_for(batch, threads, [&](std::int64_t index, int worker) {
            const ipmdae::NoDenormals guard;
            network->network->run(x + index * in, y + index * out, samples,
                                  memory->scratch.slice(worker));
        });
        network->give_back(std::move(memory));
    });
}

void ipmdae_network_close(ipmdae_network* network) { delete network; }

}  // extern "C"

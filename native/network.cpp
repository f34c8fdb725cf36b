// The C interface to whole networks: reads the description, checks sizes against it, shares the
// windows out to threads.
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

constexpr int kHighest = 1 << 20;

// Reads positive numbers from a description, and notes whether all were in their range.
class Reader {
public:
    Reader(const std::int32_t* next, std::int64_t count) : next_(next), end_(next + count) {}

    int number(int lowest = 1) {
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
    for (int k = 0; k < result.stages - 1; ++k) {
        if (!result.branches[k]) continue;
        if (result.channels[k] % result.branches[k]) return false;
        if (std::int64_t{result.expand} * result.branch_width(k) > kHighest) return false;
    }
    return true;
}

// Compares the sizes of tensors, in floats, with those of an architecture, in the order of
// expected_shapes in Python. All factors are at most 2^21, so that no product of three overflows.
class Sizes {
public:
    Sizes(const std::int64_t* next, std::int64_t count) : next_(next), left_(count) {}

    bool fit(const Architecture& a) {
        const int stages = a.stages;
        for (int k = 0; k < stages; ++k)
            convolution(k ? a.channels[k - 1] : a.leads, a.channels[k], a.channels[k], a.kernel);
        for (int k = 0; k < stages - 1; ++k)
            if (a.branches[k]) module(a, k);
        for (int k = stages - 1; k >= 0; --k) {
            const int outputs = k ? a.channels[k - 1] : a.outputs();
            convolution(a.channels[k], outputs, outputs, a.kernel);
        }
        return fit_ && left_ == 0;
    }

private:
    void tensor(std::int64_t a, std::int64_t b = 1, std::int64_t c = 1) {
        fit_ = fit_ && left_ > 0 && *next_ == a * b * c;
        if (fit_) ++next_, --left_;
    }
    void convolution(int inputs, int outputs, int biases, int kernel) {
        tensor(inputs, outputs, kernel);
        tensor(biases);
    }
    void module(const Architecture& a, int stage) {
        const int channels = a.channels[stage], width = a.branch_width(stage);
        tensor(channels);
        tensor(channels);
        tensor(1);
        for (int n = 0; fit_ && n < a.branches[stage]; ++n) {
            tensor(width, channels);
            for (int i = 0; i < 2; ++i) tensor(width, width);
            for (int i = 0; i < 2; ++i) tensor(a.inner_width(stage), a.d_state);
        }
        if (a.fusion_weights)
            for (int i = 0; i < 3; ++i) tensor(width, width);
        for (int i = 0; i < 2; ++i) mamba(a, width, a.inner_width(stage), a.dt_rank(stage));
    }
    void mamba(const Architecture& a, int width, int inner, int rank) {
        tensor(2, inner, width);
        tensor(inner, a.d_conv);
        tensor(inner);
        tensor(rank + 2 * a.d_state, inner);
        tensor(inner, rank);
        for (int i = 0; i < 2; ++i) tensor(inner);
        tensor(width, inner);
    }

    const std::int64_t* next_;
    std::int64_t left_;
    bool fit_ = true;
};

// Whether `floats` is the product of the others.
bool is_product(std::int64_t floats, std::int64_t a, std::int64_t b, std::int64_t c) {
    std::int64_t product;
    return !__builtin_mul_overflow(a, b, &product) &&
           !__builtin_mul_overflow(product, c, &product) && product == floats;
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

int ipmdae_interface(void) { return IPMDAE_INTERFACE; }

int ipmdae_network_open(const int32_t* description, int64_t count, const float* const* tensors,
                        const int64_t* sizes, int64_t tensor_count, ipmdae_network** network) {
    ipmdae::Architecture architecture{};
    if (count < 0 || tensor_count < 0 || !ipmdae::read(description, count, architecture) ||
        !ipmdae::Sizes(sizes, tensor_count).fit(architecture))
        return 1;
    return ipmdae::guarded([&] {
        auto opened = std::make_unique<ipmdae_network>();
        opened->network.reset(ipmdae::chosen_kernels.load()->open_network(architecture, tensors));
        opened->leads = architecture.leads;
        opened->outputs = architecture.outputs();
        *network = opened.release();
    });
}

int ipmdae_network_run(ipmdae_network* network, const float* x, int64_t x_size, float* y,
                       int64_t y_size, int64_t batch, int64_t samples) {
    constexpr std::int64_t kLongest = 1 << 30;
    if (batch < 0 || samples < 1 ||
        !ipmdae::is_product(x_size, batch, samples, network->leads) ||
        !ipmdae::is_product(y_size, batch, samples, network->outputs))
        return 1;
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

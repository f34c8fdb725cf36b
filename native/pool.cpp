#include "pool.hpp"

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>

#if !defined(_WIN32)
#include <pthread.h>
#endif

namespace ipmdae {
namespace {

using Task = std::function<void(std::int64_t, int)>;

class Pool {
public:
    // False, without having done anything, when another caller has the pool.
    bool run(std::int64_t tasks, int threads, const Task& task) {
        std::unique_lock<std::mutex> owner(owner_, std::try_to_lock);
        if (!owner) return false;
        {
            std::lock_guard<std::mutex> guard(mutex_);
            while (workers_ < threads - 1 && start_worker()) continue;
            task_ = &task;
            tasks_ = tasks;
            next_ = 0;
            wanted_ = std::min(threads - 1, workers_);
            busy_ = wanted_;
            ++round_;
        }
        started_.notify_all();
        take_tasks(0);
        std::unique_lock<std::mutex> lock(mutex_);
        finished_.wait(lock, [this] { return busy_ == 0; });
        return true;
    }

private:
    // False where the system gives no further thread: the work is then done with fewer.
    bool start_worker() {
        const int number = workers_ + 1;
        try {
            std::thread([this, number, seen = round_] { work(number, seen); }).detach();
        } catch (const std::system_error&) {
            return false;
        }
        workers_ = number;
        return true;
    }

    void work(int number, std::uint64_t seen) {
        for (;;) {
            {
                std::unique_lock<std::mutex> lock(mutex_);
                started_.wait(lock, [&] { return round_ != seen; });
                seen = round_;
                if (number > wanted_) continue;
            }
            take_tasks(number);
            std::lock_guard<std::mutex> guard(mutex_);
            if (--busy_ == 0) finished_.notify_one();
        }
    }

    void take_tasks(int worker) {
        for (std::int64_t index = next_++; index < tasks_; index = next_++) (*task_)(index, worker);
    }

    std::mutex owner_;  // held by the caller that uses the pool
    std::mutex mutex_;  // guards what follows, but for next_
    std::condition_variable started_, finished_;
    std::atomic<std::int64_t> next_{0};
    const Task* task_ = nullptr;
    std::int64_t tasks_ = 0;
    std::uint64_t round_ = 0;
    int workers_ = 0, wanted_ = 0, busy_ = 0;
};

// Never destroyed: its threads may still wait on it when the process ends.
std::atomic<Pool*> current_pool{nullptr};

Pool& pool() {
    static const bool created = [] {
        current_pool = new Pool;
#if !defined(_WIN32)
        pthread_atfork(nullptr, nullptr, [] { current_pool = new Pool; });
#endif
        return true;
    }();
    static_cast<void>(created);
    return *current_pool;
}

}  // namespace

void parallel_for(std::int64_t tasks, int threads, const Task& task) {
    if (threads > tasks) threads = int(tasks);
    if (threads > 1 && pool().run(tasks, threads, task)) return;
    for (std::int64_t index = 0; index < tasks; ++index) task(index, 0);
}

}  // namespace ipmdae

// A pool of threads that share out numbered tasks.
#pragma once

#include <cstdint>
#include <functional>

namespace ipmdae {

// Runs task(index, worker) for every index in [0, tasks), on at most `threads` threads of which the
// caller is one; `worker` in [0, threads) is the thread's number. Which thread takes which task is
// left open, so a result must depend on `index` alone.
//
// Callers may come from several threads: while one uses the pool, the others work alone. After a
// fork the child starts a pool of its own.
void parallel_for(std::int64_t tasks, int threads,
                  const std::function<void(std::int64_t index, int worker)>& task);

}  // namespace ipmdae

// Batch: jobs that are submitted, and waited for, together.
#pragma once

#include <cstdint>

#include "binding/python.hpp"
#include "binding/state.hpp"

namespace nbaio {

struct Job;
struct PoolObject;

/// The type of what batch_submit(), batch_run() and map() hand their coroutines to. It draws them from an iterator as the
/// pool takes them, and each job tells it of its end without a callback, which the loop would have to call: that is three
/// quarters of what a gather() costs.
///
///     batch = _core.Batch(pool, follow=True, ready=None)
///     while True:
///         arrival = batch.draw(iterator)     # until the pool is full, or the iterator exhausted
///         if arrival is None: break
///         await arrival
///     await batch.wait(first_failure=True)
///     results = batch.results()
PyTypeObject* make_batch_type(State* state) noexcept;

enum class Ending : std::uint8_t { succeeded, failed, refused };

/// Counts a job that was accepted just now, or stands in line, in its batch, if it has one: from here on the job may end,
/// by whatever code runs.
void count_in_batch(Job* job) noexcept;

/// Tells the batch of a job that has ended: its sink. May run the loop's own code.
void tell_batch(PoolObject* pool, Job* job, Ending ending) noexcept;

}  // namespace nbaio

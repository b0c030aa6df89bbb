// Closing the pool, and cancelling what it holds.
#include "binding/job.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"

namespace nbaio {
namespace {

void refuse_waiting(PoolObject* pool, Job* job) noexcept {
    Ref exception;
    if (!job->entry.keeps_place) {
        // The caller of run() waits for the job itself.
        exception = call(pool->state->pool_stopped.get());
        if (!exception) PyErr_Clear();
    }
    // To make the exception is to run code, and the job may have left the line by it.
    if (job->entry.place != Place::line && job->entry.place != Place::granted) return;
    pool->admission.withdraw(job->entry);
    refuse_job(job, exception.get());
}

}  // namespace

PyObject* pool_close(PyObject* self, PyObject*) noexcept {
    auto* pool = reinterpret_cast<PoolObject*>(self);
    if (!use_running_loop(pool)) return nullptr;
    pool->closed = true;
    return new_none();
}

PyObject* pool_cancel_all(PyObject* self, PyObject*) noexcept {
    auto* pool = reinterpret_cast<PoolObject*>(self);
    // Producers first, so that none is admitted into a place that is freed here; then what has not begun.
    Ref all = everything_of(
        pool, {Place::line, Place::granted, Place::queued, Place::starting, Place::ready, Place::running});
    if (!all) return nullptr;
    for (Py_ssize_t i = 0; i < PyList_GET_SIZE(all.get()); ++i) {
        PyObject* item = PyList_GET_ITEM(all.get(), i);
        if (Py_TYPE(item) == pool->state->turn_type) {
            auto* turn = reinterpret_cast<Turn*>(item);
            if (turn->entry.place != Place::outside) cancel_turn(turn);
            continue;
        }
        Job* job = job_of(item);
        if (job->entry.place == Place::line || job->entry.place == Place::granted) {
            refuse_waiting(pool, job);
        } else if (job->entry.place != Place::outside && cancel_job(job, nullptr) < 0) {
            report(pool, "could not cancel a job", item);
        }
    }
    settle_flow(pool);
    return new_none();
}

}  // namespace nbaio

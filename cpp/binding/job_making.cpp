// How a job is made, and the parts of it that it gets when it needs them.
#include <new>

#include "binding/job.hpp"
#include "binding/pool.hpp"

namespace nbaio {

Py_ssize_t find_loop_offset(State* state, PyObject* loop_keyword, PyObject* loop) noexcept {
    Ref future = Ref::own(PyObject_Call(as_object(state->future_type), state->empty_tuple.get(), loop_keyword));
    if (!future) {
        PyErr_Clear();
        return 0;
    }
    Py_ssize_t found = 0;
    constexpr Py_ssize_t word_size = sizeof(PyObject*);
    for (Py_ssize_t at = sizeof(PyObject); at + word_size <= state->future_type->tp_basicsize; at += word_size) {
        const PyObject* word = *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(future.get()) + at);
        if (word == nullptr) continue;
        if (word != loop || found != 0) return 0;
        found = at;
    }
    return found;
}

Ref new_job(PoolObject* pool, PyObject* coro, PyObject* sink) noexcept {
    State* state = pool->state;
    Ref self = Ref::own(state->job_memory.allocate(state->job_type));
    if (!self) return self;
    Job* job = new (job_of(self.get())) Job{};
    job->home = reinterpret_cast<std::uintptr_t>(share(pool));
    state->retain();
    job->entry.kind = job_entry;
    if (pool->loop_offset != 0) {
        // What Future.__init__ would do, see find_loop_offset.
        *reinterpret_cast<PyObject**>(reinterpret_cast<char*>(self.get()) + pool->loop_offset) = new_ref(pool->loop);
    } else if (state->future_type->tp_init(self.get(), state->empty_tuple.get(), pool->loop_keyword) < 0) {
        return Ref();
    }
    const ContextSnapshot::Taken taken = pool->snapshot.take(state);
    job->context = taken.context;
    job->shares_context = taken.is_shared;
    if (job->context == nullptr) return Ref();
    if (sink != nullptr) {
        if (!have_details(job)) return Ref();
        job->details()->sink = new_ref(sink);
    }
    job->coro = new_ref(coro);
    constexpr std::uint64_t largest = (std::uint64_t{1} << 48) - 1;
    job->number = (state->jobs_made.fetch_add(1, std::memory_order_relaxed) + 1) & largest;
    return self;
}

bool have_details(Job* job) noexcept {
    if (job->entry.loan != nullptr) return true;
    PoolObject* pool = job->pool();
    void* memory = pool != nullptr ? std::exchange(pool->spare_details, nullptr) : nullptr;
    if (memory == nullptr) memory = PyMem_Malloc(sizeof(JobDetails));
    if (memory == nullptr) {
        PyErr_NoMemory();
        return false;
    }
    job->entry.loan = &(new (memory) JobDetails{})->dealings.loan;
    return true;
}

void drop_details([[maybe_unused]] Job* job, [[maybe_unused]] PoolObject* pool) noexcept {
#ifndef Py_GIL_DISABLED  // another thread may be looking
    JobDetails* details = job->details();
    if (details == nullptr || details->thrown != nullptr || details->name != nullptr ||
        details->cancels_requested > 0) {
        return;
    }
    job->entry.loan = nullptr;
    if (pool != nullptr && pool->spare_details == nullptr) {
        pool->spare_details = details;
    } else {
        PyMem_Free(details);
    }
#endif
}

bool own_context(Job* job) noexcept {
    if (!job->shares_context) return true;
    PyObject* copy = PyContext_Copy(job->context);
    if (copy == nullptr) return false;
    const Ref shared = Ref::own(std::exchange(job->context, copy));
    job->shares_context = false;
    return true;
}

}  // namespace nbaio

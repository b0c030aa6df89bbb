// The end of what a loop has left that is gone: by the next use of the pool, by the threads that wait, at the exit, or when
// the pool is garbage together with its jobs.
#include <new>

#include "binding/job.hpp"
#include "binding/pool.hpp"
#include "binding/turn.hpp"

namespace nbaio {
namespace {

/// Ends everything that the pool holds. All of it is counted and unlinked first: whatever runs while the coroutines are
/// closed meets a pool that is idle.
void end_leftovers(PoolObject* pool) noexcept {
    Ref all = everything_of(pool);
    if (!all) return PyErr_Clear();
    const Py_ssize_t count = PyList_GET_SIZE(all.get());
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* item = PyList_GET_ITEM(all.get(), i);
        if (Py_TYPE(item) == pool->state->turn_type) {
            pool->admission.finish(reinterpret_cast<Turn*>(item)->entry, Outcome::cancelled);
            continue;
        }
        Entry& entry = job_of(item)->entry;
        if (is_outside_door(entry)) {
            pool->admission.withdraw(entry);
        } else {
            pool->admission.finish(entry, Outcome::cancelled);
        }
        Py_DECREF(item);  // the pool's reference; the list has its own
    }
    unbind(pool);
    for (Py_ssize_t i = 0; i < count; ++i) {
        PyObject* item = PyList_GET_ITEM(all.get(), i);
        if (Py_TYPE(item) == pool->state->turn_type) {
            abandon_turn(reinterpret_cast<Turn*>(item));
        } else {
            abandon_job(job_of(item));
        }
    }
}

// A capsule that both the pool and its ending own; the pool takes its pointer out when it goes.
constexpr const char* handle_name = "nb_aiopool._core.pool";

PyObject* end_through_handle(PyObject* handle, PyObject*) noexcept {
    PoolObject* pool = pool_of_handle(handle);
    // One that is idle may be on its way out, without a reference left, and must not be given one.
    if (pool == nullptr || pool->admission.idle()) return new_none();
    const Exclusive exclusive(as_object(pool));
    end_leftovers(pool);
    return new_none();
}
PyMethodDef end_through_handle_def = {"end_pool", end_through_handle, METH_NOARGS, nullptr};

void free_handle(PyObject* handle) noexcept {
    delete static_cast<PoolObject**>(PyCapsule_GetPointer(handle, handle_name));
}

}  // namespace

void close_handle(PoolObject* pool) noexcept {
    Ref handle = Ref::own(std::exchange(pool->handle, nullptr));
    if (handle) *static_cast<PoolObject**>(PyCapsule_GetPointer(handle.get(), handle_name)) = nullptr;
}

PyObject* handle_of(PoolObject* pool) noexcept {
    if (pool->handle != nullptr) return pool->handle;
    auto* held = new (std::nothrow) PoolObject*(pool);
    if (held == nullptr) return PyErr_NoMemory();
    pool->handle = PyCapsule_New(static_cast<void*>(held), handle_name, free_handle);
    if (pool->handle == nullptr) delete held;
    return pool->handle;
}

PoolObject* pool_of_handle(PyObject* handle) noexcept {
    auto* held = static_cast<PoolObject**>(PyCapsule_GetPointer(handle, handle_name));
    return held != nullptr ? *held : nullptr;
}

PyObject* pool_ending(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    PyObject* handle = handle_of(reinterpret_cast<PoolObject*>(self));
    return handle != nullptr ? PyCFunction_New(&end_through_handle_def, handle) : nullptr;
}

PyObject* pool_abandon(PyObject* self, PyObject*) noexcept {
    const Exclusive exclusive(self);
    auto* pool = reinterpret_cast<PoolObject*>(self);
    if (!is_executing(pool)) abandon_all(pool);
    return new_none();
}

void abandon_all(PoolObject* pool) noexcept {
    if (!pool->admission.idle()) end_leftovers(pool);
}

}  // namespace nbaio

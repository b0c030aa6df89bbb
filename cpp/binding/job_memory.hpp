// The memory of jobs, used again where that spares the garbage collector.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>

#include "binding/python.hpp"

#ifdef __has_feature
#if __has_feature(address_sanitizer)
#define NBAIO_UNDER_ASAN 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#define NBAIO_UNDER_ASAN 1
#endif

#ifdef NBAIO_UNDER_ASAN
#define NBAIO_KEEPS_JOB_MEMORY 0  // the sanitizer is to see every use of a job that is gone
#else
#define NBAIO_KEEPS_JOB_MEMORY (PY_VERSION_HEX < 0x030D0000)
#endif

namespace nbaio {

/// Keeps the memory of jobs that are gone for those to come.
///
/// Up to 3.12 the collector runs at every 700th allocation of an object that it tracks, and a queue of a thousand waiting
/// jobs is what it looks through each time: a quarter of the price of a submit. Memory that is used again is no
/// allocation. From 3.13 on the collector is called less often, and objects are laid out in a way that only CPython can
/// prepare.
class JobMemory {
public:
    JobMemory() = default;
    JobMemory(const JobMemory&) = delete;
    JobMemory& operator=(const JobMemory&) = delete;
    ~JobMemory() {
#if NBAIO_KEEPS_JOB_MEMORY
        while (kept_ > 0) {
            PyObject* block = blocks_[--kept_];
            // The type of jobs is gone by now, and the deallocation asks the type how much memory precedes an object.
            block->ob_type = &PyList_Type;
            PyObject_GC_Del(block);
        }
#endif
    }

    /// A zeroed, tracked object of the type; null with MemoryError set.
    PyObject* allocate(PyTypeObject* type) noexcept {
#if NBAIO_KEEPS_JOB_MEMORY
        if (kept_ > 0) {
            PyObject* self = blocks_[--kept_];
            // The collector's second word still says that the object was finalised.
            reinterpret_cast<std::size_t*>(self)[-1] = 0;
            std::memset(static_cast<void*>(self + 1), 0,
                        static_cast<std::size_t>(type->tp_basicsize) - sizeof(PyObject));
            PyObject_Init(self, type);
            PyObject_GC_Track(self);
            return self;
        }
#endif
        return type->tp_alloc(type, 0);
    }

    /// Takes the memory of an object that was destroyed. Requires: it came from allocate() and is not tracked.
    void release(void* block) noexcept {
#if NBAIO_KEEPS_JOB_MEMORY
        if (kept_ < blocks_.size()) {
            blocks_[kept_++] = static_cast<PyObject*>(block);
            return;
        }
#endif
        PyObject_GC_Del(block);
    }

private:
#if NBAIO_KEEPS_JOB_MEMORY
    std::array<PyObject*, 1024> blocks_{};  // a full queue of the default size; 300 kB
    std::size_t kept_ = 0;
#endif
};

}  // namespace nbaio

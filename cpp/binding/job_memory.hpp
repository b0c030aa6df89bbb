// The memory of jobs, used again where that spares the garbage collector.
#pragma once

#include <cstddef>
#include <cstring>
#include <functional>

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

/// Room for the first thousand jobs, apart from all other objects.
///
/// Up to 3.12 the collector runs at every 700th allocation of an object that it tracks, and a queue of a thousand waiting
/// jobs is what it looks through each time: a quarter of the price of a submit. Memory that is used again is no
/// allocation. It is one block, for jobs kept here and there in the interpreter's own would keep the arenas around them:
/// megabytes, after a flood. From 3.13 on the collector is called less often, and objects are laid out in a way that only
/// CPython can prepare.
class JobMemory {
public:
    JobMemory() = default;
    JobMemory(const JobMemory&) = delete;
    JobMemory& operator=(const JobMemory&) = delete;
    ~JobMemory() {
#if NBAIO_KEEPS_JOB_MEMORY
        PyMem_RawFree(block_);
#endif
    }

    /// A zeroed, tracked object of the type, which is always the same one; null with MemoryError set.
    PyObject* allocate(PyTypeObject* type) noexcept {
#if NBAIO_KEEPS_JOB_MEMORY
        if (char* place = take_place(type)) {
            std::memset(place, 0, stride_);
            auto* self = reinterpret_cast<PyObject*>(place + head_size);
            PyObject_Init(self, type);
            PyObject_GC_Track(self);
            return self;
        }
#endif
        return type->tp_alloc(type, 0);
    }

    /// Takes the memory of an object that was destroyed. Requires: it came from allocate() and is not tracked.
    void release(void* object) noexcept {
#if NBAIO_KEEPS_JOB_MEMORY
        char* place = static_cast<char*>(object) - head_size;
        if (std::less_equal<>{}(block_, place) && std::less<>{}(place, block_ + stride_ * most)) {
            std::memcpy(place, static_cast<const void*>(&free_), sizeof(free_));
            free_ = place;
            return;
        }
#endif
        PyObject_GC_Del(object);
    }

#if NBAIO_KEEPS_JOB_MEMORY
private:
    static constexpr std::size_t most = 1024;  // a full queue of the default size; 250 kB
    static constexpr std::size_t alignment = 16;
    /// The collector's two words, and up to two more before those where 3.12 keeps a managed dictionary.
    static constexpr std::size_t head_size = 4 * sizeof(void*);

    char* take_place(const PyTypeObject* type) noexcept {
        if (free_ != nullptr) {
            char* place = free_;
            std::memcpy(static_cast<void*>(&free_), place, sizeof(free_));
            return place;
        }
        if (block_ == nullptr) {
            const auto size = head_size + static_cast<std::size_t>(type->tp_basicsize);
            stride_ = (size + alignment - 1) / alignment * alignment;
            block_ = static_cast<char*>(PyMem_RawMalloc(stride_ * most));
            if (block_ == nullptr) return nullptr;
        }
        return used_ < most ? block_ + stride_ * used_++ : nullptr;
    }

    char* block_ = nullptr;
    char* free_ = nullptr;  // the place that came free last; each begins with the address of the next
    std::size_t stride_ = 0;
    std::size_t used_ = 0;  // how many places were used ever
#endif
};

}  // namespace nbaio

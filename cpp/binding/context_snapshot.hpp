// The context that jobs are submitted from, copied once for many of them.
#pragma once

#include "binding/python.hpp"
#include "binding/state.hpp"

namespace nbaio {

/// Jobs that are submitted one after the other, while nothing is set in between, start from the same variables. They share
/// one copy of the context until they begin, which nobody enters: a job that waits is smaller by a sixth, and the garbage
/// collector has a third less to look through. Dropped when a pass ends, as what SpareLineage keeps.
class ContextSnapshot {
public:
    struct Taken {
        PyObject* context;  // a new reference; null with MemoryError set
        bool is_shared;
    };

    /// The context of the code that calls, as it is now.
    Taken take(const State* state) noexcept;

    void drop() noexcept { context_.reset(); }

    int traverse(visitproc visit, void* arg) const noexcept {
        Py_VISIT(context_.get());
        return 0;
    }

private:
    Ref context_;
};

}  // namespace nbaio

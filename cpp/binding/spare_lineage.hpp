// A lineage used again by one short job after the other.
#pragma once

#include "binding/lineage.hpp"
#include "binding/python.hpp"
#include "binding/state.hpp"

namespace nbaio {

/// To set a context variable costs as much as a fifth of a whole job, and most jobs end in their first step without having
/// shown their context to anybody. So the variables that result are kept, with those that they resulted from, and
/// swapped into the context of the next job that starts from the same. Dropped when a pass ends: nothing that a user
/// has put into a context is kept longer than that.
class SpareLineage {
public:
    /// Gives the context a lineage: the one that is kept, if it fits, or a new one. Requires: the context is private to
    /// the holder, and not entered. Guarantees: a new reference; null with an exception set if there is no memory for it.
    Lineage* begin(SpareLineage& kept, State* state, PoolObject* pool, PyObject* context, Entry* holder) noexcept;

    /// Leaves the lineage to the next job if this one has ended and nobody else can have seen it. Requires: the context
    /// is not entered any more.
    void keep(SpareLineage& kept, const State* state, PyObject* context) noexcept;

    void drop() noexcept;

    int traverse(visitproc visit, void* arg) const noexcept;

private:
    Lineage* reuse(SpareLineage& kept, const State* state, PyObject* context, Entry* holder) noexcept;
    Lineage* make(State* state, PoolObject* pool, PyObject* context, Entry* holder) noexcept;

    Ref before_;  // the variables of the context as it was copied
    Ref after_;   // the same with the lineage
    Ref lineage_;
};

}  // namespace nbaio

// Lineage: which jobs some code works for, through all the tasks, callbacks and other pools that a job sets going.
#pragma once

#include <cstdint>

#include "binding/python.hpp"
#include "binding/state.hpp"
#include "core/entry.hpp"

namespace nbaio {

struct PoolObject;
struct Lineage;

/// Work that needs a slot while somebody waits for it, and that its nearest ancestor could lend one to. A link in that
/// ancestor's list; part of a Job or Turn.
struct Want {
    Want* prev;
    Want* next;
    Entry* entry;  // whose it is
    Lineage* of;   // in whose list this is; null: in none
};

/// Stands for a Job or Turn that has a slot, in a context variable: whatever copies the job's context inherits it. It is
/// an object of its own, so that a context does not keep the job.
struct Lineage {
    // clang-format off
    PyObject_HEAD
    // clang-format on
    PoolObject* pool;  // not owned; valid while there is a holder
    Entry* holder;     // null once it has ended
    Lineage* parent;   // owned: that of the code which submitted the holder; null: none
    Want* first_want;
    Want* last_want;
    // The holder's present wait, see lending.cpp.
    const void* gathering;       // which gather() was looked through; compared only
    Py_ssize_t looked_at;        // up to where
    unsigned patience;           // how many passes to wait before lending on
    std::uint64_t ended_before;  // how many jobs of the pool had ended when it began
    bool trusted;                // whatever it has set going is taken for what it waits for
};

PyTypeObject* make_lineage_type(State* state) noexcept;

/// What an entry has to do with nested work. One that has begun and not ended has it.
struct Dealings {
    Loan loan;                   // first: what an entry has a pointer to
    Lineage* lineage = nullptr;  // its own, from its first step to its end
    /// Owned: the future that a holder waits for until it has a slot to go on.
    PyObject* slot_waiter = nullptr;
    Want want{};
};

/// Null if the entry has none.
inline Dealings* dealings_of(const Entry& entry) noexcept { return reinterpret_cast<Dealings*>(entry.loan); }

/// A lineage that is owned, or null.
struct LineageRef {
    explicit LineageRef(Lineage* owned) noexcept : object(Ref::own(reinterpret_cast<PyObject*>(owned))) {}
    [[nodiscard]] Lineage* get() const noexcept { return reinterpret_cast<Lineage*>(object.get()); }
    Ref object;
};

/// That of the code that executes. Null if there is none. Never raises.
LineageRef current_lineage(State* state) noexcept;

/// That of the code which made a copy of its context. Null if there is none. Never raises.
LineageRef lineage_in(State* state, PyObject* context) noexcept;

/// Makes the holder's own lineage and sets it in the context that is entered. Guarantees: a new reference; null with
/// an exception set if there is no memory for it.
Lineage* enter_lineage(State* state, PoolObject* pool, Entry* holder) noexcept;

/// Tells that the holder has ended; what it could have lent to is left to its own nearest ancestor. Releases the
/// reference. Guarantees: the holder that has more to look at now, or null.
Entry* end_lineage(Lineage* own) noexcept;

/// The nearest holder in a pool that has not ended, but for one; null if there is none.
Lineage* nearest_lineage(Lineage* from, const PoolObject* pool, const Entry* except) noexcept;

void add_want(Lineage* lineage, Want& want) noexcept;
/// Does nothing if it is in no list.
void drop_want(Want& want) noexcept;

}  // namespace nbaio

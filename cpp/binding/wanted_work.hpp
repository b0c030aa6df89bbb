// Which work a job waits for, and which of it needs a slot.
#pragma once

#include "binding/lineage.hpp"
#include "binding/python.hpp"
#include "core/entry.hpp"

namespace nbaio {

struct PoolObject;

// -- What is the same for a Job and a Turn ---------------------------------------------------------------------------

bool is_turn(const Entry& entry) noexcept;
PyObject* object_of(Entry& entry) noexcept;
Entry& entry_of(PoolObject* pool, PyObject* object) noexcept;
Lineage* lineage_of(Entry& holder) noexcept;
/// Requires: the entry has not ended. Guarantees: it has Dealings; false with MemoryError set if there is no memory for
/// them.
bool have_dealings(Entry& entry) noexcept;
/// What it wanted is not wanted any more.
void forget_want(Entry& entry) noexcept;
bool is_woken(Entry& holder) noexcept;

/// The future that a holder waits for until it has a slot to go on. Null if there is none.
PyObject* slot_waiter_of(const Entry& holder) noexcept;
Ref take_slot_waiter(Entry& holder) noexcept;

// -- Waiting ---------------------------------------------------------------------------------------------------------

/// What a holder waits for; null if it executes, or gave way.
PyObject* awaited_by(Entry& holder) noexcept;
bool waits_with_slot(Entry& holder) noexcept;

/// What holds a slot and waits, and for what. Looking further runs Python code, after which it may be otherwise.
struct Wait {
    Entry& holder;
    PyObject* future;
    [[nodiscard]] bool goes_on() const noexcept { return waits_with_slot(holder) && awaited_by(holder) == future; }
};

// -- Work that needs a slot --------------------------------------------------------------------------------------------

/// Work of the pool that needs a slot: the future itself, or what it gathers. Null if there is none. `cursor` remembers
/// how far a gathering was looked through: what is before has begun.
Entry* find_in(PoolObject* pool, PyObject* future, Lineage* cursor, int depth = 0) noexcept;

/// Whether there is work that the holder, or those whose slot it has, have set going, and that may want a slot.
bool has_wants(Entry& holder) noexcept;

/// Work that the holder, or one whose slot it has, has set going, and that wants a slot: what leads to the end of the
/// wait, or with `any` the first of its own that there is. Null if none was found. Runs Python code; an exception is left
/// set only if it is for the loop's caller.
Ref find_wanted(PoolObject* pool, const Wait& wait, bool any) noexcept;

}  // namespace nbaio

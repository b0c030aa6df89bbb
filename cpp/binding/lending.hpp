// Lending: a job that waits for work of its own pool gives its slot to that work. See docs/architecture.md for why this
// cannot deadlock.
#pragma once

#include "binding/python.hpp"
#include "core/entry.hpp"

namespace nbaio {

struct Job;
struct Lineage;
struct PoolObject;

/// To be called when the holder of a slot is about to wait for a future. If that is work of the pool which needs a slot,
/// or a gather() of such, it gets this one. May run the loop's own code.
void wait_with_slot(PoolObject* pool, Entry& holder, PyObject* future) noexcept;

/// To be called when a job that has not begun is waited for by somebody, or stands in line: the nearest job that this
/// somebody works for may have a slot to lend.
void want_slot(Job* job) noexcept;

/// The same, if this somebody's lineage is known; null: nobody's.
void want_slot_for(Job* job, Lineage* of_waiter) noexcept;

/// The same for a holder that has lent its slot and needs one to go on. Requires: its slot waiter is set.
void want_slot_back(PoolObject* pool, Entry& holder) noexcept;

/// To be called when there is more that a holder could lend to than before.
void reconsider(PoolObject* pool, Entry& holder) noexcept;

/// To be called when work that had a slot may have lost it: those who wait may have to lend theirs. Runs no other code.
void look_at_holders(PoolObject* pool) noexcept;

/// To be asked when a lender is woken: whether it has to wait for a slot to go on, because what woke it seems to be work of
/// the pool. If it has `urgent` business, an exception from outside, it need not.
bool waits_for_slot(PoolObject* pool, Entry& holder, bool urgent) noexcept;

/// Lets a holder execute again that was woken, whether or not it has its slot back.
void go_on(PoolObject* pool, Entry& holder) noexcept;

/// Looks at the holders that have a slot again, and at those whose work wants one: wakes them, or lends on. May run
/// user code. Guarantees: false with an exception set that is for the loop's caller.
bool settle_loans(PoolObject* pool) noexcept;

}  // namespace nbaio

// What the admission state machine knows of a job: where it stands, and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nbaio {

/// Where an entry stands. Each place but `outside` is a list of the Admission. In the order in which they are come to:
/// from `ready` on an entry has begun, from `running` on it executes or waits.
enum class Place : std::uint8_t {
    outside,    ///< not here yet, refused, or finished
    line,       ///< waits for room; not accepted yet
    granted,    ///< has a place kept for it, which its producer has not come back for yet
    queued,     ///< accepted, waits for a slot
    starting,   ///< has a slot, has not begun
    ready,      ///< has begun, gave way, and wants its next step
    running,    ///< has begun; executes, or waits for something outside the pool
    lending,    ///< waits for work of the pool, which has its slot
    returning,  ///< has lent its slot, and wants one to go on
    repaid,     ///< has a slot again; whoever acts for the pool has to look at it
};
inline constexpr std::size_t place_count = 10;

/// How an accepted entry ended.
enum class Outcome : std::uint8_t { succeeded, failed, cancelled };

struct Entry;

/// What an entry has to do with other entries' slots.
struct Loan {
    Entry* lender = nullptr;    ///< who lent its slot to this one, and gets it back
    Entry* borrower = nullptr;  ///< who got this one's slot
};

/// The links and marks of one job, embedded in the object that owns them, so that moving a job between places never
/// allocates. Requires: the owner takes the entry out (finish or withdraw) before it dies.
struct Entry {
    Entry* prev = nullptr;
    Entry* next = nullptr;
    /// Where the entry's loans are noted. The owner's; one that neither lends nor borrows needs none, so that an entry
    /// that waits is small.
    Loan* loan = nullptr;
    Place place = Place::outside;
    /// In line: admission only keeps a place, until the producer confirms. Otherwise it is accepted where it stands.
    bool keeps_place = false;
    bool has_slot = false;
    /// The owner's own mark (what kind of object the entry is part of).
    std::uint8_t kind = 0;

    [[nodiscard]] Entry* lender() const noexcept { return loan != nullptr ? loan->lender : nullptr; }
    [[nodiscard]] Entry* borrower() const noexcept { return loan != nullptr ? loan->borrower : nullptr; }
};

}  // namespace nbaio

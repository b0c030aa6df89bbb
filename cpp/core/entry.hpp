// What the admission state machine knows of a job: where it stands, and nothing else.
#pragma once

#include <cstddef>
#include <cstdint>

namespace nbaio {

/// Where an entry stands. Each place but `outside` is a list of the Admission.
enum class Place : std::uint8_t {
    outside,   ///< not here yet, refused, or finished
    line,      ///< waits for room; not accepted yet
    granted,   ///< has a place kept for it, which its producer has not come back for yet
    queued,    ///< accepted, waits for a slot
    starting,  ///< has a slot, has not begun
    ready,     ///< has begun, gave way, and wants its next step
    running,   ///< has begun; executes, or waits for something outside the pool
};
inline constexpr std::size_t place_count = 7;

/// How an accepted entry ended.
enum class Outcome : std::uint8_t { succeeded, failed, cancelled };

/// The links and marks of one job, embedded in the object that owns them, so that moving a job between places never
/// allocates. Requires: the owner takes the entry out (finish or withdraw) before it dies.
struct Entry {
    Entry* prev = nullptr;
    Entry* next = nullptr;
    Place place = Place::outside;
    /// In line: admission only keeps a place, until the producer confirms. Otherwise it is accepted where it stands.
    bool keeps_place = false;
    bool has_slot = false;
    /// The owner's own mark (what kind of object the entry is part of).
    std::uint8_t kind = 0;
};

}  // namespace nbaio

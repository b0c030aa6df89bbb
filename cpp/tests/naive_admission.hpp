// The same rules as core/admission.hpp, said as plainly as possible: vectors of numbers, and everything worked out anew
// each time it is asked for. Slow, and meant to be: there is no mark or link here that could be out of step.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "core/entry.hpp"

namespace nbaio {

class NaiveAdmission {
public:
    using Id = std::size_t;
    using Ids = std::vector<Id>;

    /// A stretch of ids, to be read before the next transition.
    struct Row {
        Ids::const_iterator first, last;

        [[nodiscard]] Ids::const_iterator begin() const { return first; }
        [[nodiscard]] Ids::const_iterator end() const { return last; }
        [[nodiscard]] std::size_t size() const { return static_cast<std::size_t>(last - first); }
        [[nodiscard]] bool empty() const { return first == last; }
        [[nodiscard]] Id front() const { return *first; }
        [[nodiscard]] Id operator[](std::size_t i) const { return first[static_cast<std::ptrdiff_t>(i)]; }
    };

    NaiveAdmission(std::size_t running_limit, std::size_t queue_limit)
        : max_running(running_limit), max_queued(queue_limit) {}

    std::size_t max_running;
    std::size_t max_queued;  // 0: no bound

    // -- Who is where ----------------------------------------------------------------------------------------------

    /// Those accepted who have not begun are one row, in order of acceptance. As many of them as there are slots that
    /// nobody who has begun holds are starting; the rest of the row is the queue.
    [[nodiscard]] Row at(Place place) const {
        const auto split = accepted_.begin() + static_cast<std::ptrdiff_t>(starting());
        switch (place) {
            case Place::line: return whole(line_);
            case Place::granted: return whole(granted_);
            case Place::starting: return {accepted_.begin(), split};
            case Place::queued: return {split, accepted_.end()};
            case Place::ready: return whole(ready_);
            case Place::running: return whole(running_);
            case Place::outside: break;
        }
        return {split, split};
    }
    [[nodiscard]] bool has_slot(Id id) const {
        return has(at(Place::starting), id) || ((has(whole(ready_), id) || has(whole(running_), id)) && !is_guest(id));
    }
    [[nodiscard]] bool keeps_place(Id id) const { return has(whole(keepers_), id); }
    [[nodiscard]] bool is_guest(Id id) const { return has(whole(guests_), id); }

    // -- Answers ---------------------------------------------------------------------------------------------------

    [[nodiscard]] std::size_t free_slots() const {
        const std::size_t taken = begun_with_slot() + starting();
        return taken < max_running ? max_running - taken : 0;
    }
    [[nodiscard]] std::size_t room() const {
        if (max_queued == 0) return std::numeric_limits<std::size_t>::max();
        const std::size_t places = free_slots() + max_queued;
        const std::size_t taken = queued() + granted_.size();
        return places - std::min(places, taken);
    }
    [[nodiscard]] bool welcomes() const { return waiting() == 0 && room() > 0; }
    [[nodiscard]] bool can_begin() const { return welcomes() && free_slots() > 0 && accepted_.empty(); }
    [[nodiscard]] bool can_admit() const {
        return !line_.empty() && room() > 0 && (granted_.empty() || keeps_place(line_.front()));
    }
    [[nodiscard]] std::size_t queued() const { return accepted_.size() - starting(); }
    [[nodiscard]] std::size_t running() const { return starting() + ready_.size() + running_.size(); }
    [[nodiscard]] std::size_t waiting() const { return line_.size() + granted_.size(); }
    [[nodiscard]] std::uint64_t submitted() const { return submitted_; }
    [[nodiscard]] std::uint64_t ended(Outcome outcome) const {
        return static_cast<std::uint64_t>(std::count(outcomes_.begin(), outcomes_.end(), outcome));
    }
    [[nodiscard]] bool idle() const { return waiting() + accepted_.size() + ready_.size() + running_.size() == 0; }
    [[nodiscard]] bool has_work() const { return starting() + ready_.size() > 0 || can_admit(); }

    // -- Transitions -----------------------------------------------------------------------------------------------

    void accept(Id id) {
        ++submitted_;
        accepted_.push_back(id);
    }
    void begin(Id id) {
        ++submitted_;
        running_.push_back(id);
    }
    void begin_as_guest(Id id) {
        begin(id);
        guests_.push_back(id);
    }
    void stand_in_line(Id id, bool keeps_place) {
        line_.push_back(id);
        if (keeps_place) keepers_.push_back(id);
    }
    std::optional<Id> admit_next() {
        if (!can_admit()) return std::nullopt;
        const Id id = line_.front();
        drop(line_, id);
        if (keeps_place(id)) {
            granted_.push_back(id);
        } else {
            accept(id);
        }
        return id;
    }
    void confirm(Id id) {
        withdraw(id);
        accept(id);
    }
    void withdraw(Id id) {
        drop(line_, id);
        drop(granted_, id);
        drop(keepers_, id);
    }
    std::optional<Id> start_next() { return move_first(at(Place::starting), accepted_, running_); }
    std::optional<Id> resume_next() { return move_first(whole(ready_), ready_, running_); }
    void give_way(Id id) {
        drop(running_, id);
        ready_.push_back(id);
    }
    void finish(Id id, Outcome outcome) {
        for (Ids* ids : {&accepted_, &ready_, &running_}) drop(*ids, id);
        drop(guests_, id);
        outcomes_.push_back(outcome);
    }

private:
    static Row whole(const Ids& ids) { return {ids.begin(), ids.end()}; }
    static bool has(Row row, Id id) { return std::find(row.begin(), row.end(), id) != row.end(); }
    static void drop(Ids& ids, Id id) { ids.erase(std::remove(ids.begin(), ids.end(), id), ids.end()); }

    static std::optional<Id> move_first(Row candidates, Ids& from, Ids& to) {
        if (candidates.empty()) return std::nullopt;
        const Id id = candidates.front();
        drop(from, id);
        to.push_back(id);
        return id;
    }

    [[nodiscard]] std::size_t begun_with_slot() const { return ready_.size() + running_.size() - guests_.size(); }
    [[nodiscard]] std::size_t starting() const {
        const std::size_t held = begun_with_slot();
        return std::min(accepted_.size(), held < max_running ? max_running - held : 0);
    }

    Ids line_, granted_, accepted_, ready_, running_;
    Ids keepers_, guests_;  // in no order
    std::vector<Outcome> outcomes_;
    std::uint64_t submitted_ = 0;
};

}  // namespace nbaio

// An admission and a few entries with one-letter names, so that a test can say where everybody stands in one string.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/admission.hpp"

namespace nbaio {

/// The names of a list's entries from front to back; "broken" if the way back, or the size, tells something else.
inline std::string names(const List& list) {
    std::string forward;
    std::string backward;
    for (const Entry* entry = list.front(); entry != nullptr; entry = entry->next) {
        forward.push_back(static_cast<char>(entry->kind));
    }
    for (const Entry* entry = list.back(); entry != nullptr; entry = entry->prev) {
        backward.insert(backward.begin(), static_cast<char>(entry->kind));
    }
    const bool sound = forward == backward && forward.size() == list.size() && forward.empty() == list.empty();
    return sound ? forward : "broken";
}

/// The names of those who have lent a slot one to the next, from this one on; "broken" if the way back tells something
/// else, or there is no end.
inline std::string chain_from(const Entry& first) {
    std::string chain;
    for (const Entry* entry = &first; entry != nullptr; entry = entry->borrower()) {
        if (entry->borrower() != nullptr && entry->borrower()->lender() != entry) return "broken";
        if (entry->borrower() == &first) return "broken";
        chain.push_back(static_cast<char>(entry->kind));
    }
    return chain;
}

/// The entries 'a' to 'j', all outside.
class Names {
public:
    Names() noexcept {
        for (std::size_t i = 0; i < entries_.size(); ++i) {
            entries_[i].kind = static_cast<std::uint8_t>('a' + i);
            entries_[i].loan = &loans_[i];
        }
    }
    Entry& operator[](char name) { return entries_.at(static_cast<std::size_t>(name - 'a')); }

private:
    std::array<Entry, 10> entries_{};
    std::array<Loan, 10> loans_{};
};

/// Example:
///     Scene scene(1, 2);
///     scene.accept("abc");
///     CHECK(scene.in(Place::queued) == "bc");
class Scene {
public:
    Scene(std::size_t max_running, std::size_t max_queued) noexcept : admission(max_running, max_queued) {}

    Entry& operator[](char name) { return entries_[name]; }
    [[nodiscard]] std::string chain(char first) { return chain_from(entries_[first]); }
    [[nodiscard]] std::string in(Place place) const { return names(admission.at(place)); }

    void accept(std::string_view who) {
        for (const char name : who) admission.accept(entries_[name]);
    }
    /// Accepts and starts: whoever has a slot now runs.
    void run(std::string_view who) {
        accept(who);
        while (admission.start_next() != nullptr) {
        }
    }
    /// Puts producers in line that come back for their place.
    void line_up(std::string_view who) {
        for (const char name : who) admission.stand_in_line(entries_[name], true);
    }
    void lend(char lender, char borrower) { admission.lend(entries_[lender], entries_[borrower]); }
    void accept_on_loan(char lender, char who) { admission.accept_on_loan(entries_[lender], entries_[who]); }
    void go_on(char who) { admission.go_on(entries_[who]); }
    void finish(std::string_view who) {
        for (const char name : who) admission.finish(entries_[name], Outcome::succeeded);
    }
    void admit_all() {
        while (admission.admit_next() != nullptr) {
        }
    }

    Admission admission;

private:
    Names entries_;
};

}  // namespace nbaio

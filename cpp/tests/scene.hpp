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

/// The entries 'a' to 'j', all outside.
class Names {
public:
    Names() noexcept {
        for (std::size_t i = 0; i < entries_.size(); ++i) entries_[i].kind = static_cast<std::uint8_t>('a' + i);
    }
    Entry& operator[](char name) { return entries_.at(static_cast<std::size_t>(name - 'a')); }

private:
    std::array<Entry, 10> entries_{};
};

/// Example:
///     Scene scene(1, 2);
///     scene.accept("abc");
///     CHECK(scene.in(Place::queued) == "bc");
class Scene {
public:
    Scene(std::size_t max_running, std::size_t max_queued) noexcept : admission(max_running, max_queued) {}

    Entry& operator[](char name) { return entries_[name]; }
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

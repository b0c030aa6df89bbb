// A doubly linked list of entries that counts them. It owns nothing.
#pragma once

#include <cstddef>

#include "core/entry.hpp"

namespace nbaio {

class List {
public:
    [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
    [[nodiscard]] std::size_t size() const noexcept { return size_; }
    [[nodiscard]] Entry* front() const noexcept { return front_; }
    [[nodiscard]] Entry* back() const noexcept { return back_; }

    /// Requires: the entry is in no list.
    void push_back(Entry& entry) noexcept {
        entry.prev = back_;
        entry.next = nullptr;
        (back_ != nullptr ? back_->next : front_) = &entry;
        back_ = &entry;
        ++size_;
    }

    /// Requires: the entry is in no list.
    void push_front(Entry& entry) noexcept {
        entry.prev = nullptr;
        entry.next = front_;
        (front_ != nullptr ? front_->prev : back_) = &entry;
        front_ = &entry;
        ++size_;
    }

    /// Requires: the entry is in this list.
    void remove(Entry& entry) noexcept {
        (entry.prev != nullptr ? entry.prev->next : front_) = entry.next;
        (entry.next != nullptr ? entry.next->prev : back_) = entry.prev;
        entry.prev = nullptr;
        entry.next = nullptr;
        --size_;
    }

private:
    Entry* front_ = nullptr;
    Entry* back_ = nullptr;
    std::size_t size_ = 0;
};

}  // namespace nbaio

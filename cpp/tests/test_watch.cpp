#include "core/watch.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <thread>

namespace {

using nbaio::Watch;
using Seen = Watch::Seen;
using std::chrono::microseconds;

constexpr microseconds moment{20};
constexpr microseconds for_ever{20'000'000};
constexpr auto never = [] { return false; };
constexpr auto always = [] { return true; };

/// Looks in vain until nobody looks any more.
int look_in_vain(Watch& watch) {
    int times = 0;
    while (watch.look_for(never) == Seen::no) ++times;
    return times;
}

TEST_SUITE("watch") {
    TEST_CASE("what has happened is seen, and what does not happen is not waited for") {
        Watch watch(moment, 1);
        CHECK(watch.look_for(always) == Seen::yes);
        CHECK(watch.look_for(never) == Seen::no);
        CHECK(watch.look_for(always) == Seen::yes);
    }

    TEST_CASE("where no processor is to spare nobody looks") {
        Watch watch(moment, 0);
        bool asked = false;
        CHECK(watch.look_for([&] { return asked = true; }) == Seen::not_looked);
        CHECK_FALSE(asked);
    }

    TEST_CASE("what another thread does is seen, and what it wrote before") {
        Watch watch(for_ever, 1);
        for (int round = 0; round < 100; ++round) {
            std::atomic<bool> flag{false};
            int written = 0;
            std::thread other([&] {
                written = round + 1;
                flag.store(true, std::memory_order_release);
            });
            CHECK(watch.look_for([&] { return flag.load(std::memory_order_acquire); }) == Seen::yes);
            CHECK(written == round + 1);
            other.join();
        }
    }

    TEST_CASE("no more look at once than may") {
        Watch watch(for_ever, 1);
        std::atomic<bool> looks{false}, end{false};
        std::thread first([&] {
            CHECK(watch.look_for([&] {
                looks.store(true);
                return end.load();
            }) == Seen::yes);
        });
        while (!looks.load()) std::this_thread::yield();
        CHECK(watch.look_for(always) == Seen::not_looked);
        end.store(true);
        first.join();
        CHECK(watch.look_for(always) == Seen::yes);
    }

    TEST_CASE("who has looked in vain a few times looks seldom, until it pays again") {
        Watch watch(microseconds(0), 1);
        CHECK(look_in_vain(watch) == 16);
        int looks = 0;
        for (int i = 0; i < 640; ++i) looks += watch.look_for(never) == Seen::no ? 1 : 0;
        CHECK(looks == 10);
        int waits = 1;
        while (watch.look_for(always) != Seen::yes) ++waits;
        CHECK(waits <= 64);
        CHECK(watch.look_for(always) == Seen::yes);
        for (int i = 0; i < 100; ++i) CHECK(watch.look_for(always) == Seen::yes);
        CHECK(look_in_vain(watch) == 16);
    }
}

}  // namespace

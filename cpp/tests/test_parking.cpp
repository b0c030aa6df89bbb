#include "core/parking.hpp"

#include <doctest/doctest.h>

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

namespace {

using nbaio::Parking;
using std::chrono::milliseconds;

constexpr milliseconds for_ever{20'000};

TEST_SUITE("parking") {
    TEST_CASE("whoever is woken before going to sleep does not sleep") {
        Parking parking;
        parking.wake();
        CHECK(parking.sleep_for(for_ever));
        CHECK(parking.sleep_for(milliseconds(0)));
    }

    TEST_CASE("whoever is not woken sleeps until the time is over") {
        Parking parking;
        CHECK_FALSE(parking.sleep_for(milliseconds(1)));
        CHECK_FALSE(parking.sleep_for(milliseconds(0)));
    }

    TEST_CASE("to wake twice is to wake") {
        Parking parking;
        parking.wake();
        parking.wake();
        CHECK(parking.sleep_for(for_ever));
    }

    TEST_CASE("another thread wakes the sleeper, and what it wrote before is seen") {
        for (int round = 0; round < 200; ++round) {
            Parking parking;
            int written = 0;
            std::thread other([&] {
                written = round + 1;
                parking.wake();
            });
            CHECK(parking.sleep_for(for_ever));
            CHECK(written == round + 1);
            other.join();
        }
    }

    TEST_CASE("the sleeper may let go of the parking as soon as it is woken") {
        for (int round = 0; round < 500; ++round) {
            auto shared = std::make_shared<Parking>();
            std::thread other([parking = shared]() mutable {
                parking->wake();
                parking.reset();
            });
            CHECK(shared->sleep_for(for_ever));
            shared.reset();
            other.join();
        }
    }

    TEST_CASE("threads in a line are woken in the order of the line") {
        constexpr std::size_t count = 16;
        std::vector<std::unique_ptr<Parking>> line;
        line.reserve(count);
        for (std::size_t i = 0; i < count; ++i) line.push_back(std::make_unique<Parking>());
        std::atomic<std::size_t> next{0};
        std::atomic<std::size_t> out_of_order{0};
        std::vector<std::thread> threads;
        threads.reserve(count);
        for (std::size_t i = 0; i < count; ++i) {
            threads.emplace_back([&, i] {
                while (!line[i]->sleep_for(milliseconds(1))) {
                }
                if (next.fetch_add(1) != i) ++out_of_order;
                if (i + 1 < count) line[i + 1]->wake();
            });
        }
        line[0]->wake();
        for (std::thread& thread : threads) thread.join();
        CHECK(next == count);
        CHECK(out_of_order == 0);
    }
}

}  // namespace

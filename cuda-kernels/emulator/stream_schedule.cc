#include <random>
#include <unordered_set>

#include "driver.h"
#include "stream.h"

namespace muond {
namespace {

using Works = std::vector<std::shared_ptr<Work>>;

/** How many ready operations are looked at when one of them is drawn. */
constexpr size_t kWindow = 64;

std::mt19937_64& random() {
  static std::mt19937_64 generator(Driver::get().settings.seed);
  return generator;
}

bool drawn() { return Driver::get().settings.seed != 0; }

/** All that is not done and that `targets` need, themselves included, each after its needs. */
Works closure(const Works& targets) {
  Works order, stack(targets.rbegin(), targets.rend());
  std::unordered_set<const Work*> entered, left;
  while (!stack.empty()) {
    std::shared_ptr<Work> work = stack.back();
    if (work->done() || left.count(work.get())) {
      stack.pop_back();
    } else if (entered.insert(work.get()).second) {
      for (const auto& need : work->needs) {
        if (!need->done()) stack.push_back(need);
      }
    } else {
      stack.pop_back();
      left.insert(work.get());
      order.push_back(work);
    }
  }
  return order;
}

/** With a seed, now and then runs what nobody has asked for yet: a device may be ahead as well as
 * behind. */
Works withMore(Works targets) {
  if (!drawn() || random()() % 2 == 0) return targets;
  Works choice;
  for (const auto& target : targets) {
    for (const auto& [chain, works] : target->context->inflight)
      choice.push_back(works[random()() % works.size()]);
  }
  targets.insert(targets.end(), choice.begin(), choice.end());
  return targets;
}

bool ready(const Work& work) {
  if (work.state != Work::State::Pending) return false;
  for (const auto& need : work.needs) {
    if (!need->done()) return false;
  }
  return true;
}

/** What to run next: the first that is ready, or one of those that are; null if other threads run
 * all of them. */
std::shared_ptr<Work> next(const Works& order) {
  Works choice;
  for (const auto& work : order) {
    if (!ready(*work)) continue;
    if (!drawn()) return work;
    choice.push_back(work);
    if (choice.size() == kWindow) break;
  }
  return choice.empty() ? nullptr : choice[random()() % choice.size()];
}

/** The device has written to host memory: queued work that reads or fills it need not find it as it
 * was. */
void forgetWritten(const Work& work) {
  for (const Access& access : work.operation->accesses) {
    if (access.place != Access::Place::Host || !access.write) continue;
    for (const auto& [handle, context] : Driver::get().contexts.all()) {
      for (const auto& [chain, works] : context->inflight) {
        for (const auto& other : works) HostWatch::forget(*other, access);
      }
    }
  }
}

/** An error while work runs ends its context, whatever the same error at a call would do. */
void fail(Work& work, const Fault& fault) {
  std::string message = fault.what();
  if (message.find(work.operation->what) == std::string::npos)
    message += "; queued by " + work.name();
  Driver::get().report.fault(message);
  bool sticky = fault.code >= CUDA_ILLEGAL_ADDRESS && fault.code < 800;
  failContext(*work.context, sticky ? fault.code : int{CUDA_ILLEGAL_ADDRESS}, message);
}

void run(const std::shared_ptr<Work>& work) {
  Driver& driver = Driver::get();
  work->state = Work::State::Running;
  if (work->context->error == CUDA_SUCCESS && !work->context->ended) {
    if (driver.report.tracing() && work->operation->run) driver.report.trace("run " + work->name());
    try {
      HostWatch::check(*work, true, true);
      if (work->operation->run) {
        struct Without {
          ~Without() { driverLock().lock(); }
        } without;
        driverLock().unlock();
        work->operation->run(work->seed);
      }
    } catch (const Fault& fault) {
      fail(*work, fault);
    } catch (const std::exception& failure) {
      fail(*work, Fault(CUDA_UNKNOWN, failure.what()));
    }
    forgetWritten(*work);
  }
  work->finished = std::chrono::steady_clock::now();
  work->needs.clear();
  work->state = Work::State::Done;
  driver.changed.notify_all();
}

/** The host now knows all before `targets` to be done: it may use the memory that they used. */
void observe(const Works& targets) {
  Clock known;
  for (const auto& target : targets) known.join(target->clock);
  for (const auto& [handle, context] : Driver::get().contexts.all()) {
    for (auto entry = context->inflight.begin(); entry != context->inflight.end();) {
      auto& [chain, works] = *entry;
      uint64_t upTo = known.at(chain);
      while (!works.empty() && works.front()->index <= upTo && works.front()->done()) {
        try {
          if (context->error == CUDA_SUCCESS) HostWatch::check(*works.front(), true, false);
        } catch (const Fault& fault) {
          fail(*works.front(), fault);
        }
        works.pop_front();
      }
      entry = works.empty() ? context->inflight.erase(entry) : std::next(entry);
    }
  }
}

void removeDone(Works& order) {
  order.erase(
      std::remove_if(order.begin(), order.end(), [](const auto& work) { return work->done(); }),
      order.end());
}

}  // namespace

void await(const Works& targets) {
  Works order = closure(withMore(targets));
  size_t sinceRemoved = 0;
  while (!order.empty()) {
    if (std::shared_ptr<Work> work = next(order)) {
      run(work);
    } else {
      removeDone(order);
      if (!order.empty() && next(order) == nullptr) Driver::get().changed.wait(driverLock());
    }
    if (++sinceRemoved * 4 > order.size()) {
      removeDone(order);
      sinceRemoved = 0;
    }
  }
  observe(targets);
}

bool poll(const std::shared_ptr<Work>& target) {
  if (!target->done()) {
    if (std::shared_ptr<Work> work = next(closure({target}))) run(work);
  }
  if (!target->done()) return false;
  observe({target});
  return true;
}

}  // namespace muond

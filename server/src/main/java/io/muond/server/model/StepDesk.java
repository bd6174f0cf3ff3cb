package io.muond.server.model;

import io.muond.v1.StepHeader;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiFunction;
import java.util.function.BooleanSupplier;
import java.util.function.Function;

/** Opens, finds, drops and expires the steps of one model. */
final class StepDesk {
  private final ModelSpec spec;
  private final ModelState state;
  private final Shards shards;
  private final StepObserver observer;
  private final BooleanSupplier draining;
  private final Map<String, Integer> index;

  StepDesk(ModelSpec spec, ModelState state, Shards shards, Platform platform) {
    this.spec = spec;
    this.state = state;
    this.shards = shards;
    this.observer = platform.observer();
    this.draining = platform.draining();
    this.index = Contribution.index(spec.parameters());
  }

  /** Opens a step for the worker of {@code header}; {@code owner} is the call that does. */
  CompletableFuture<StepTicket> open(StepHeader header, Object owner) {
    return openInTurn(header, owner)
        .whenComplete(
            (ticket, refusal) -> {
              if (refusal != null) {
                observer.refused(refusal);
              }
            });
  }

  private CompletableFuture<StepTicket> openInTurn(StepHeader header, Object owner) {
    synchronized (state) {
      if (isAhead(header)) {
        OpenStep.Part before = state.open().parts().get(header.getWorker());
        if (before != null && !before.isSealed()) {
          // It has overtaken the commit.
          return before.sealing().thenComposeAsync(done -> openInTurn(header, owner));
        }
        if (before != null) {
          state.requireLive();
          return CompletableFuture.completedFuture(openAhead(header, owner));
        }
      }
    }
    return state.whenIdle(() -> openIdle(header, owner));
  }

  /** Whether it is the step after the one that is open. */
  private boolean isAhead(StepHeader header) {
    return spec.overlaps()
        && state.open() != null
        && header.getStep() == state.open().number() + 1
        && header.getIncarnation().equals(state.ledger().incarnation());
  }

  private StepTicket openIdle(StepHeader header, Object owner) {
    if (isAhead(header) && state.open().isSealed(header.getWorker())) {
      return openAhead(header, owner);
    }
    if (state.ledger().locate(header) == StepLedger.Position.COMMITTED) {
      return openRepeat(header, CommittedStep.headerDigest(header), owner);
    }
    state.requireReady(spec.name());
    OpenStep open = state.open() == null ? begin(header, 0) : state.open();
    OpenStep.Part part = part(open, header, shards::gradient, owner);
    state.trace().gradientsLost();
    // Last: what fails before leaves no step open that nobody owns.
    state.setOpen(open);
    return new StepTicket(header, open, part);
  }

  private StepTicket openAhead(StepHeader header, Object owner) {
    OpenStep ahead = state.ahead() == null ? begin(header, 1) : state.ahead();
    OpenStep.Part part = part(ahead, header, shards::gradientAhead, owner);
    state.setAhead(ahead);
    return new StepTicket(header, ahead, part);
  }

  /**
   * @param ahead how many steps will have been committed before it
   */
  private OpenStep begin(StepHeader header, int ahead) {
    if (draining.getAsBoolean()) {
      throw Refusals.shuttingDown();
    }
    return new OpenStep(header.getStep(), state.ledger().now().nextAge() + ahead);
  }

  /** The part of the header's worker, who may have it already. */
  private OpenStep.Part part(
      OpenStep step,
      StepHeader header,
      BiFunction<ParameterSpec, Integer, DeviceTensor> target,
      Object owner) {
    int slot = state.workers().slot(header);
    double weight = weight(header);
    long headerDigest = CommittedStep.headerDigest(header);
    OpenStep.Part part = step.parts().get(header.getWorker());
    if (part == null) {
      Contribution contribution = contribution(header.getStep(), p -> target.apply(p, slot));
      part = new OpenStep.Part(header.getWorker(), slot, weight, headerDigest, contribution);
      step.parts().put(header.getWorker(), part);
    }
    requireSameHeader(header, part, headerDigest);
    part.contribution.own(owner);
    step.news();
    return part;
  }

  private static double weight(StepHeader header) {
    double weight = header.hasWeight() ? header.getWeight() : 1;
    if (!Float.isFinite((float) weight)) {
      throw Refusals.invalidField("weight", weight, "a finite number");
    }
    return weight;
  }

  /** A step's: nothing comes for what is frozen. */
  private Contribution contribution(long step, Function<ParameterSpec, DeviceTensor> target) {
    return new Contribution(
        spec.name(),
        step,
        spec.parameters(),
        index,
        p -> p.isFrozen() ? null : new TensorStaging(p, target.apply(p)));
  }

  /**
   * A contribution of all parameters to gradient slot 0 that belongs to no step: an upload. To be
   * called with the lock.
   */
  Contribution upload() {
    state.trace().gradientsLost();
    return new Contribution(
        spec.name(), 0, spec.parameters(), index, p -> new TensorStaging(p, shards.gradient(p, 0)));
  }

  private StepTicket openRepeat(StepHeader header, long headerDigest, Object owner) {
    CommittedStep record = state.ledger().find(header.getStep()).orElseThrow();
    CommittedStep.Part committed = record.part(header.getWorker());
    if (committed == null) {
      throw Refusals.unknownWorker(header.getWorker(), record.parts().keySet());
    }
    if (committed.header() != headerDigest) {
      throw Refusals.stepConflict(
          spec.name(), header.getStep(), "it was committed with another header");
    }
    OpenStep.Part part =
        state
            .repeats()
            .begin(
                header,
                () ->
                    new OpenStep.Part(
                        header.getWorker(),
                        0,
                        1,
                        headerDigest,
                        contribution(header.getStep(), p -> null)));
    part.contribution.own(owner);
    part.news();
    return new StepTicket(header, null, part);
  }

  private void requireSameHeader(StepHeader header, OpenStep.Part part, long headerDigest) {
    if (part.headerDigest != headerDigest) {
      throw Refusals.stepConflict(
          spec.name(),
          header.getStep(),
          "worker \"" + header.getWorker() + "\" has opened it with another header");
    }
  }

  /** Finds what the worker of {@code header} has opened. */
  StepTicket find(StepHeader header) {
    synchronized (state) {
      state.requireLive();
      boolean ahead = isAhead(header);
      boolean repeat = !ahead && state.ledger().locate(header) == StepLedger.Position.COMMITTED;
      OpenStep open = ahead ? state.ahead() : repeat ? null : state.open();
      OpenStep.Part part =
          repeat
              ? state.repeats().find(header)
              : open == null ? null : open.parts().get(header.getWorker());
      if (part == null) {
        throw Refusals.stepNotOpen(spec.name(), header.getStep(), header.getWorker());
      }
      requireSameHeader(header, part, CommittedStep.headerDigest(header));
      return new StepTicket(header, open, part);
    }
  }

  /**
   * The call {@code owner} has ended: what it alone had opened and not committed is dropped.
   *
   * @param failure that ended it, or null
   */
  void leave(StepTicket ticket, Object owner, Throwable failure) {
    synchronized (state) {
      OpenStep.Part part = ticket.part();
      if (!part.contribution.disown(owner) || part.isSealed()) {
        return;
      }
      MuondException reason =
          Refusals.stepAborted(
              spec.name(), ticket.header().getStep(), "the call that had opened it has ended");
      part.close(reason);
      if (ticket.step() == null) {
        if (state.endRepeat(part) && failure != null) {
          observer.refused(failure);
        }
        return;
      }
      ticket.step().parts().remove(part.worker, part);
      if (ticket.step().parts().isEmpty()) {
        forget(ticket.step(), failure == null ? reason : failure);
      }
    }
  }

  /** Nobody fills it any more. */
  private void forget(OpenStep step, Throwable reason) {
    if (state.open() == step) {
      state.setOpen(null);
    } else if (state.ahead() == step) {
      state.setAhead(null);
    } else {
      return;
    }
    observer.dropped(reason);
  }

  /**
   * Drops the open step of {@code header}.
   *
   * @return the next step
   */
  CompletableFuture<Long> abort(StepHeader header) {
    return state.whenIdle(
        () -> {
          MuondException reason =
              Refusals.stepAborted(
                  spec.name(),
                  header.getStep(),
                  "worker \"" + header.getWorker() + "\" asked for it");
          if (isAhead(header)) {
            dropAhead(reason);
          } else if (state.ledger().locate(header) == StepLedger.Position.NEXT) {
            drop(reason);
          } else {
            throw Refusals.stepNotOpen(spec.name(), header.getStep(), header.getWorker());
          }
          return state.ledger().nextStep();
        });
  }

  /**
   * Drops the open step, if there is one that does not compute, and the one after it. To be called
   * with the lock.
   */
  void drop(MuondException reason) {
    dropAhead(reason);
    OpenStep open = state.open();
    if (open != null && !state.isBusy()) {
      state.setOpen(null);
      end(open, reason);
    }
  }

  /** Drops steps of which something is still to come; false if there is none. */
  boolean dropIncomplete(MuondException reason) {
    OpenStep ahead = state.ahead();
    boolean incomplete = state.open() != null && !state.isBusy();
    if (incomplete) {
      drop(reason);
    } else if (ahead != null && !ahead.isSealed(state.workers())) {
      incomplete = true;
      dropAhead(reason);
    }
    return incomplete;
  }

  /** Drops the step after the open one, if there is one. To be called with the lock. */
  void dropAhead(MuondException reason) {
    OpenStep ahead = state.ahead();
    if (ahead != null) {
      state.setAhead(null);
      end(ahead, reason);
    }
  }

  private void end(OpenStep step, MuondException reason) {
    step.close(reason);
    step.waiting().forEach(w -> w.answer().completeExceptionally(reason));
    observer.dropped(reason);
  }

  /**
   * The open step, if there was one, was committed: the one after it is the open one from now on.
   * To be called with the lock.
   */
  void advance() {
    state.advance();
    if (state.open() != null) {
      shards.advance();
      state.open().arrival();
    }
  }

  /** Drops the open step because of something else that happens to the model. */
  void drop(String why) {
    OpenStep open = state.open();
    if (open != null) {
      drop(Refusals.stepAborted(spec.name(), open.number(), why));
    }
  }

  /** Drops the open step, and each repeat, for which nothing has arrived for {@code timeout}. */
  void expire(long now, Duration timeout) {
    synchronized (state) {
      OpenStep open = state.open();
      if (open != null && !state.isBusy() && open.silentNanos(now) > timeout.toNanos()) {
        List<String> missing = open.missing(state.workers());
        drop(Refusals.stepExpired(spec.name(), open.number(), missing));
      }
      for (Repeats.Repeat repeat : state.repeats().silent(now, timeout)) {
        OpenStep.Part part = repeat.part();
        state.endRepeat(part);
        List<String> missing = List.of(part.worker);
        part.close(Refusals.stepExpired(spec.name(), repeat.step(), missing));
      }
    }
  }
}

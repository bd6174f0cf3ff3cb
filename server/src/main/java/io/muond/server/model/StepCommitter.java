package io.muond.server.model;

import io.muond.server.engine.DeviceLostException;
import io.muond.server.model.StepComputation.Outcome;
import io.muond.server.model.StepLedger.Point;
import io.muond.server.model.StepObserver.StepTimes;
import io.muond.v1.CommitOptions;
import io.muond.v1.DataType;
import io.muond.v1.StepReport;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import java.util.function.Consumer;

/** Commits the steps of one model: the last worker's commit computes, all of them are answered. */
final class StepCommitter {
  private final Model model;
  private final ModelState state;
  private final StepObserver observer;

  StepCommitter(Model model) {
    this.model = model;
    this.state = model.state();
    this.observer = model.observer();
  }

  /**
   * @param onEarly takes a reader of weights that are finished, if the options ask for one
   */
  CompletableFuture<Committed> commit(
      StepTicket ticket, CommitOptions message, Consumer<WeightsReader> onEarly) {
    StepOptions options = StepOptions.read(message, model.spec(), ticket.header().getStep());
    if (ticket.isRepeat()) {
      return repeat(ticket, options);
    }
    OpenStep step = ticket.step();
    boolean last = false;
    CompletableFuture<Committed> answer;
    synchronized (state) {
      // Also where another call has sealed it: a dropped step answers nobody any more.
      ticket.part().contribution.requireOpen();
      if (ticket.part().isSealed()) {
        requireSameOptions(step, options);
      } else {
        state.requireLive();
        seal(ticket, options);
        last = occupyIfSealed(step);
      }
      answer = step.isSettled() ? null : step.await(options, onEarly);
    }
    ticket.part().tellSealed();
    if (answer == null) {
      return answerSettled(ticket, options);
    }
    if (last) {
      launch(step);
    }
    return answer;
  }

  /** Takes the slots for a step, if it is the open one and every worker has committed it. */
  private boolean occupyIfSealed(OpenStep step) {
    boolean launches =
        step != null && step == state.open() && !state.isBusy() && step.isSealed(state.workers());
    if (launches) {
      state.occupy();
    }
    return launches;
  }

  private void seal(StepTicket ticket, StepOptions options) {
    OpenStep step = ticket.step();
    Contribution contribution = ticket.part().contribution;
    contribution.requireComplete();
    requireSameOptions(step, options);
    step.setOptions(options);
    ticket.part().seal();
    step.news();
  }

  private void requireSameOptions(OpenStep step, StepOptions options) {
    if (step.options() != null && !step.options().message().equals(options.message())) {
      throw Refusals.stepConflict(
          model.spec().name(), step.number(), "it was committed with other options");
    }
  }

  private void launch(OpenStep step) {
    long sealed = System.nanoTime();
    var unused =
        model
            .exclusively(
                () ->
                    model
                        .vacateSpare()
                        .thenCompose(vacated -> compute(step))
                        .thenCompose(all -> finish(step, Outcome.merge(all), sealed))
                        .handle((report, failure) -> settle(step, report, failure)))
            // Settling does not fail: this is a model that was deleted before its turn came.
            .exceptionally(deleted -> settle(step, null, deleted));
  }

  private CompletableFuture<List<Outcome>> compute(OpenStep step) {
    List<OpenStep.Waiting> curious = new ArrayList<>();
    List<WeightsReader> readers = new ArrayList<>();
    int spare;
    synchronized (state) {
      spare = 1 - model.shards().committedBuffer();
      for (OpenStep.Waiting call : step.waiting()) {
        if (call.options().provisional()) {
          DataType type = call.options().returnWeights().orElseThrow();
          call.setEarly(model.weights().pinSpare(step.number(), type));
          call.early().ifPresent(readers::add);
          curious.add(call);
        }
      }
    }
    curious.forEach(OpenStep.Waiting::tellEarly);
    Optional<EarlyWeights> early =
        readers.isEmpty()
            ? Optional.empty()
            : Optional.of(new EarlyWeights(model.spec(), model.shards(), spare, readers));
    return model.shards().onEach(shard -> shard.computation().run(step, early));
  }

  /** Saves the step if that is due, and only then makes it the model's last one. */
  private CompletableFuture<StepReport> finish(OpenStep step, Outcome outcome, long sealed) {
    long computed = System.nanoTime();
    StepReport report;
    Point next;
    synchronized (state) {
      report = report(step, outcome);
      next = state.ledger().after(record(step, report));
    }
    return model
        .saver()
        .saveStep(next)
        .thenApply(
            saved -> {
              synchronized (state) {
                model.publish(next, saved);
                state.trace().stepped(state.open() == null);
              }
              StepTimes times =
                  new StepTimes(
                      seconds(step.opened(), sealed),
                      seconds(sealed, computed),
                      seconds(computed, System.nanoTime()));
              observer.committed(times);
              return report;
            });
  }

  private static double seconds(long from, long to) {
    return (to - from) / 1e9;
  }

  private StepReport report(OpenStep step, Outcome outcome) {
    double seconds = seconds(step.lastArrival(), System.nanoTime()) - outcome.optimumSeconds();
    return StepReport.newBuilder()
        .setStep(step.number())
        .setIncarnation(state.ledger().incarnation())
        .setSeconds(Math.max(0, seconds))
        .addAllParameters(outcome.reports().values())
        .build();
  }

  private static CommittedStep record(OpenStep step, StepReport report) {
    TreeMap<String, CommittedStep.Part> parts = new TreeMap<>();
    step.parts()
        .forEach(
            (id, part) ->
                parts.put(
                    id,
                    new CommittedStep.Part(part.headerDigest, part.contribution.contentDigest())));
    return new CommittedStep(step.number(), step.options().digest(), parts, report);
  }

  /** Answers everyone. Never fails, so that the queue goes on. */
  private Void settle(OpenStep step, StepReport report, Throwable failure) {
    Throwable reason =
        failure instanceof CompletionException && failure.getCause() != null
            ? failure.getCause()
            : failure;
    List<Answer> answers;
    Runnable waiting;
    OpenStep next;
    boolean goesOn;
    synchronized (state) {
      step.settle();
      if (state.open() == step) {
        fail(step, reason);
      }
      answers = step.waiting().stream().map(w -> answer(w, report, reason)).toList();
      waiting = state.release();
      next = state.open();
      goesOn = occupyIfSealed(next);
    }
    answers.forEach(Answer::give);
    waiting.run();
    if (goesOn) {
      launch(next);
    }
    return null;
  }

  private void fail(OpenStep step, Throwable reason) {
    state.setOpen(null);
    step.close(refusal(step, reason));
    observer.dropped(reason);
    model
        .desk()
        .dropAhead(
            Refusals.stepAborted(
                model.spec().name(), step.number() + 1, "the step before it was not committed"));
  }

  private MuondException refusal(OpenStep step, Throwable reason) {
    if (reason instanceof MuondException refusal) {
      return refusal;
    }
    return reason instanceof DeviceLostException loss
        ? Refusals.deviceLost(loss)
        : Refusals.stepAborted(model.spec().name(), step.number(), "the server failed");
  }

  private Answer answer(OpenStep.Waiting waiting, StepReport report, Throwable failure) {
    if (failure != null) {
      waiting.early().ifPresent(WeightsReader::close);
      return new Answer(waiting.answer(), null, failure);
    }
    try {
      Committed committed = answer(waiting.options(), report, false, waiting.early());
      return new Answer(waiting.answer(), committed, null);
    } catch (Throwable e) {
      return new Answer(waiting.answer(), null, e);
    }
  }

  private record Answer(CompletableFuture<Committed> to, Committed committed, Throwable failure) {
    void give() {
      if (failure == null) {
        to.complete(committed);
      } else {
        to.completeExceptionally(failure);
      }
    }
  }

  /** To be called with the lock, while the step is still the last one. */
  private Committed answer(
      StepOptions options, StepReport report, boolean repeated, Optional<WeightsReader> early) {
    StepReport.Builder full = report.toBuilder().setRepeatedStep(repeated);
    long committed = state.ledger().committedStep();
    if (options.returnWeights().isPresent() && report.getStep() != committed) {
      full.setWeightsStep(committed);
    }
    state.ledger().durableStep().ifPresent(full::setDurableStep);
    state.ledger().fallbackStep().ifPresent(full::setFallbackStep);
    Optional<WeightsReader> weights =
        early.or(
            () ->
                options
                    .returnWeights()
                    .map(type -> model.weights().pin(model.spec().parameters(), type)));
    return new Committed(full.build(), weights);
  }

  /** A commit that came after another call's had settled its step. */
  private CompletableFuture<Committed> answerSettled(StepTicket ticket, StepOptions options) {
    return state.whenIdle(() -> answerRepeat(ticket, options));
  }

  private CompletableFuture<Committed> repeat(StepTicket ticket, StepOptions options) {
    synchronized (state) {
      state.requireLive();
      state.ledger().locate(ticket.header());
      ticket.part().contribution.requireOpen();
      ticket.part().contribution.requireComplete();
      state.endRepeat(ticket.part());
      CommittedStep record = state.ledger().find(ticket.header().getStep()).orElseThrow();
      CommittedStep.Part part = record.part(ticket.part().worker);
      boolean same =
          record.optionsDigest() == options.digest()
              && part.content() == ticket.part().contribution.contentDigest();
      if (!same) {
        MuondException conflict =
            Refusals.stepConflict(
                model.spec().name(),
                ticket.header().getStep(),
                "it was committed with other gradients or options");
        observer.refused(conflict);
        throw conflict;
      }
    }
    return state.whenIdle(() -> answerRepeat(ticket, options));
  }

  private Committed answerRepeat(StepTicket ticket, StepOptions options) {
    state.ledger().locate(ticket.header());
    CommittedStep record = state.ledger().find(ticket.header().getStep()).orElseThrow();
    observer.repeated();
    return answer(options, record.report(), true, Optional.empty());
  }
}

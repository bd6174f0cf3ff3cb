package io.muond.client;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.netty.channel.ChannelOption;
import io.grpc.stub.ClientCalls;
import io.muond.wire.OutgoingMessage;
import io.muond.wire.Transport;
import java.io.IOException;
import java.time.Duration;
import java.util.Iterator;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.function.Supplier;

/** The channel to one server, and calls on it with retries. Owned by {@link MuondClient}. */
final class Connection implements AutoCloseable {
  /** After so long without a word, while a call waits, the server is asked for a sign of life. */
  static final Duration KEEP_ALIVE_TIME = Duration.ofSeconds(12);

  /** How long it may take to give it. */
  static final Duration KEEP_ALIVE_TIMEOUT = Duration.ofSeconds(6);

  /** Some chunks of the largest size under way, so that a reader does not wait for each. */
  private static final int FLOW_CONTROL_WINDOW = 4 * Chunker.MAX_CHUNK;

  private static final int MAX_CONNECT_MILLIS = 20_000;

  private final Settings settings;
  private final ExecutorService executor;
  private final ManagedChannel channel;

  /** Of every call. */
  private final CallOptions options;

  private final ScheduledExecutorService scheduler;
  private final Retrier retrier;

  Connection(Address address, Settings settings) {
    this.settings = settings;
    long connectMillis =
        Math.max(Retrier.MIN_CONNECT_MILLIS, settings.reconnectTimeout().toMillis());
    requireProtected(address, settings);
    this.options =
        settings.tokenFile().isEmpty()
            ? CallOptions.DEFAULT
            : CallOptions.DEFAULT.withCallCredentials(new BearerToken(settings.tokenFile().get()));
    this.executor = Executors.newCachedThreadPool(Transport.threads("muond-calls"));
    this.channel =
        tuned(
            NettyChannelBuilder.forAddress(
                    address.host(),
                    address.port(),
                    Transport.wideFrames(settings.tls().credentials()))
                .intercept(new Introduction(address.toString()))
                // Repetitions are decided here, where it is known what is safe.
                .disableRetry()
                .initialFlowControlWindow(FLOW_CONTROL_WINDOW)
                .maxInboundMessageSize(settings.maxMessageBytes())
                .keepAliveTime(KEEP_ALIVE_TIME.toSeconds(), TimeUnit.SECONDS)
                .keepAliveTimeout(KEEP_ALIVE_TIMEOUT.toSeconds(), TimeUnit.SECONDS)
                .withOption(
                    ChannelOption.CONNECT_TIMEOUT_MILLIS,
                    (int) Math.min(connectMillis, MAX_CONNECT_MILLIS)));
    this.scheduler = newScheduler();
    this.retrier =
        new Retrier(
            scheduler,
            settings.reconnectTimeout(),
            settings.deadline(),
            channel::resetConnectBackoff,
            channel::enterIdle,
            address.toString());
  }

  private ManagedChannel tuned(NettyChannelBuilder builder) {
    Transport.tune(builder);
    return builder.executor(executor).build();
  }

  /** A token is as good as what it opens: it is not shown to the whole network by mistake. */
  private static void requireProtected(Address address, Settings settings) {
    if (settings.tokenFile().isPresent()
        && !settings.tls().enabled()
        && !settings.allowPlaintext()
        && !address.isLoopback()) {
      throw new IllegalArgumentException(
          "token: %s is beyond loopback, in plaintext (expected: TLS, or that plaintext is allowed)"
              .formatted(address));
    }
  }

  private static ScheduledExecutorService newScheduler() {
    ScheduledThreadPoolExecutor scheduler =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "muond-client");
              thread.setDaemon(true);
              return thread;
            });
    scheduler.setRemoveOnCancelPolicy(true);
    return scheduler;
  }

  Settings settings() {
    return settings;
  }

  ScheduledExecutorService scheduler() {
    return scheduler;
  }

  /** Runs a call that makes its own attempts. */
  <T> CompletableFuture<T> retry(Retrier.Safety safety, Attempt.Call<T> call) {
    return retrier.run(safety, call);
  }

  /** A call with one request and one answer. */
  <Q, R> CompletableFuture<R> unary(
      MethodDescriptor<Q, R> method, Q request, Retrier.Safety safety) {
    return retrier.run(
        safety,
        attempt -> {
          ClientCall<Q, R> call = newCall(method, deadline(attempt.trace(options)));
          Answer<R> answer = new Answer<>(call);
          ClientCalls.asyncUnaryCall(call, request, answer);
          return answer.future();
        });
  }

  /** A call with a stream of requests, made anew for every attempt, and one answer. */
  <R> CompletableFuture<R> upload(
      MethodDescriptor<OutgoingMessage, R> method,
      Supplier<Iterator<OutgoingMessage>> requests,
      Retrier.Safety safety) {
    return retrier.run(
        safety,
        attempt -> {
          ClientCall<OutgoingMessage, R> call = newCall(method, streaming(attempt.trace(options)));
          Upload<R> upload = new Upload<>(call, requests.get());
          ClientCalls.asyncClientStreamingCall(call, upload);
          return upload.future();
        });
  }

  /** A call with one request and a stream of answers that {@code reader} takes. */
  <Q, R, T> CompletableFuture<T> download(
      MethodDescriptor<Q, R> method, Q request, Supplier<Reader<R, T>> reader) {
    return retrier.run(
        Retrier.Safety.REPEATABLE,
        attempt -> {
          ClientCall<Q, R> call = newCall(method, attempt.trace(options));
          Download<R, T> download = new Download<>(call, reader.get());
          ClientCalls.asyncServerStreamingCall(call, request, download);
          return download.future();
        });
  }

  /** Opens a Step call for {@code stream}, without repetitions. */
  void openSteps(Attempt attempt, StepStream stream) {
    ClientCalls.asyncBidiStreamingCall(
        newCall(TensorMethods.STEP, streaming(attempt.trace(options))), stream);
  }

  private <Q, R> ClientCall<Q, R> newCall(MethodDescriptor<Q, R> method, CallOptions call) {
    return channel.newCall(method, call);
  }

  private CallOptions deadline(CallOptions call) {
    return call.withDeadlineAfter(settings.deadline().toNanos(), TimeUnit.NANOSECONDS);
  }

  /** Lets a few chunks wait in the transport, so that it never idles while the next is read. */
  private CallOptions streaming(CallOptions call) {
    return call.withOnReadyThreshold(2 * settings.chunkSize());
  }

  @Override
  public void close() {
    scheduler.shutdownNow();
    channel.shutdownNow();
    executor.shutdown();
  }

  /** Takes the messages of one stream. */
  interface Reader<R, T> {
    /** One message. */
    void accept(R message) throws IOException;

    /** The stream's result, once it has ended well. */
    T finish();
  }
}

package io.muond.server;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.CallOptions;
import io.grpc.ClientCall;
import io.grpc.ManagedChannel;
import io.grpc.Metadata;
import io.grpc.MethodDescriptor;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse.ServingStatus;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.muond.client.ModelHandle;
import io.muond.client.MuondClient;
import io.muond.v1.CreateModelRequest;
import io.muond.v1.FillStepRequest;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.OpenStepRequest;
import io.muond.v1.Parameter;
import io.muond.v1.ParameterList;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.StepHeader;
import io.muond.v1.StepRequest;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.WriteWeightsRequest;
import java.io.IOException;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.Socket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Clients that stall, vanish or talk nonsense, beside one who trains. The server has little memory:
 * what they cost is bounded, health stays SERVING, and whoever trains sees nothing of them.
 */
class HostileClientsTest {
  private static final int CONNECTIONS = 1_000;
  private static final int ABANDONED = 10_000;
  private static final int CALLS_PER_CONNECTION = 200;

  @TempDir Path directory;

  private DaemonProcess daemon;
  private FaultWriter trainer;
  private MuondClient client;
  private ManagedChannel channel;

  @BeforeEach
  void start() throws IOException {
    daemon =
        DaemonProcess.start(
            directory,
            Map.of("JDK_JAVA_OPTIONS", "-Xmx160m -XX:MaxDirectMemorySize=256m"),
            System.getProperty("java.class.path"),
            "--port=0",
            "--http-port=0",
            "--engine=cpu",
            "--threads=1",
            "--step-timeout=5s",
            "--drain-timeout=4s",
            "--data-dir=" + directory.resolve("data"));
    client = MuondClient.connect(daemon.grpc());
    channel = channel();
    trainer = new FaultWriter(daemon.grpc(), "trainer", 64, 4, FaultWriter.Way.WHOLE);
    trainer.await(trainer.committed() + 3);
  }

  private ManagedChannel channel() throws IOException {
    return NettyChannelBuilder.forTarget(daemon.grpc()).usePlaintext().build();
  }

  @AfterEach
  void stop() {
    trainer.close();
    channel.shutdownNow();
    client.close();
    daemon.close();
  }

  /** The trainer goes on, to the bits of an undisturbed run; nothing has run out of memory. */
  private void nobodyElseNoticed() throws Exception {
    nobodyElseNoticed(0);
  }

  /** The same, and it ends with {@code status}. */
  private void nobodyElseNoticed(int status) throws Exception {
    trainer.await(trainer.committed() + 3);
    assertThat(
            HealthGrpc.newBlockingStub(channel)
                .withDeadlineAfter(10, TimeUnit.SECONDS)
                .check(HealthCheckRequest.getDefaultInstance())
                .getStatus())
        .isEqualTo(ServingStatus.SERVING);
    trainer.finish(client);
    assertThat(daemon.stderr()).doesNotContain("OutOf").doesNotContain("incident");
    assertThat(daemon.terminate()).as(daemon.stderr()).isEqualTo(status);
  }

  private ModelHandle victim(long rows, long columns) {
    Parameter parameter =
        Parameter.newBuilder().setName("w").addShape(rows).addShape(columns).build();
    return client.createModel(
        CreateModelRequest.newBuilder()
            .setModel("victim")
            .setSeed(1)
            .setParameters(ParameterList.newBuilder().addParameters(parameter))
            .build());
  }

  @Test
  void readersThatReadNothing() throws Exception {
    List<ManagedChannel> channels = new ArrayList<>();
    try (ModelHandle victim = victim(16, 131_072)) {
      // A quarter of the memory for transfers, 64 MiB, is for 32 calls that stand still.
      for (int i = 0; i < 6; i++) {
        ManagedChannel own = channel();
        channels.add(own);
        for (int k = 0; k < 8; k++) {
          var call = begin(own, ModelServiceGrpc.getReadWeightsMethod());
          call.sendMessage(ReadWeightsRequest.newBuilder().setModel(victim.name()).build());
          call.halfClose();
        }
      }
      trainer.await(trainer.committed() + 20);
      // What they asked for was not read when the time was up.
      nobodyElseNoticed(2);
      assertThat(daemon.stderr())
          .contains("cut off: muond.v1.ModelService/ReadWeights of model \"victim")
          .containsPattern("the connection from 127.0.0.1:\\d+ is ended: .* more than 32 calls");
    } finally {
      channels.forEach(ManagedChannel::shutdownNow);
    }
  }

  private static <Q, R> ClientCall<Q, R> begin(ManagedChannel on, MethodDescriptor<Q, R> method) {
    ClientCall<Q, R> call = on.newCall(method, CallOptions.DEFAULT);
    call.start(new ClientCall.Listener<>() {}, new Metadata());
    return call;
  }

  /** Begun, and neither gone on with nor ended. */
  @Test
  void streamsThatStayHalfOpen() throws Exception {
    List<ManagedChannel> channels = new ArrayList<>();
    try (ModelHandle victim = victim(64, 32)) {
      StepHeader header = header(victim);
      for (int i = 0; i < 5; i++) {
        ManagedChannel own = channel();
        channels.add(own);
        for (int k = 0; k < CALLS_PER_CONNECTION; k++) {
          begin(own, header, k);
        }
      }
      trainer.await(trainer.committed() + 20);
      // What they opened expires, and then the step is somebody else's.
      LockSupport.parkNanos(Duration.ofSeconds(6).toNanos());
      assertThat(victim.refresh().hasOpenStep()).isFalse();
      nobodyElseNoticed();
    } finally {
      channels.forEach(ManagedChannel::shutdownNow);
    }
  }

  private static StepHeader header(ModelHandle model) {
    return StepHeader.newBuilder()
        .setModel(model.name())
        .setIncarnation(model.description().getIncarnation())
        .setStep(model.nextStep())
        .build();
  }

  /** A call of one kind or another. */
  private static ClientCall<?, ?> begin(ManagedChannel on, StepHeader header, int kind) {
    switch (kind % 4) {
      case 0 -> {
        var call = begin(on, StepServiceGrpc.getStepMethod());
        call.sendMessage(StepRequest.newBuilder().setOpen(header).build());
        return call;
      }
      case 1 -> {
        var call = begin(on, StepServiceGrpc.getFillStepMethod());
        call.sendMessage(FillStepRequest.newBuilder().setHeader(header).build());
        return call;
      }
      case 2 -> {
        var call = begin(on, StepServiceGrpc.getOpenStepMethod());
        call.sendMessage(OpenStepRequest.newBuilder().setHeader(header).build());
        return call;
      }
      default -> {
        var call = begin(on, ModelServiceGrpc.getWriteWeightsMethod());
        call.sendMessage(WriteWeightsRequest.newBuilder().setModel(header.getModel()).build());
        return call;
      }
    }
  }

  @Test
  void streamsThatAreAbandoned() throws Exception {
    try (ModelHandle victim = victim(64, 32)) {
      StepHeader header = header(victim);
      Random random = new Random(1);
      for (int done = 0; done < ABANDONED; ) {
        ManagedChannel own = channel();
        List<ClientCall<?, ?>> calls = new ArrayList<>();
        for (int k = 0; k < CALLS_PER_CONNECTION; k++, done++) {
          calls.add(begin(own, header, random.nextInt(4)));
        }
        if (random.nextBoolean()) {
          calls.forEach(call -> call.cancel("abandoned", null));
        }
        own.shutdownNow();
        assertThat(own.awaitTermination(10, TimeUnit.SECONDS)).isTrue();
      }
      nobodyElseNoticed();
    }
  }

  @Test
  void connectionsThatSayNothing() throws Exception {
    List<Socket> sockets = new ArrayList<>();
    try {
      for (int i = 0; i < CONNECTIONS; i++) {
        sockets.add(connect());
      }
      trainer.await(trainer.committed() + 10);
      nobodyElseNoticed();
    } finally {
      for (Socket socket : sockets) {
        socket.close();
      }
    }
  }

  private Socket connect() throws IOException {
    String address = daemon.grpc();
    int port = Integer.parseInt(address.substring(address.lastIndexOf(':') + 1));
    return new Socket(InetAddress.getLoopbackAddress(), port);
  }

  /** Nonsense from the start, or after what HTTP/2 begins with. */
  @Test
  void bytesThatMeanNothing() throws Exception {
    byte[] preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".getBytes(StandardCharsets.US_ASCII);
    byte[] settings = {0, 0, 0, 4, 0, 0, 0, 0, 0};
    Random random = new Random(2);
    for (int i = 0; i < 500; i++) {
      try (Socket socket = connect();
          OutputStream out = socket.getOutputStream()) {
        byte[] noise = new byte[random.nextInt(20_000)];
        random.nextBytes(noise);
        if (random.nextBoolean()) {
          out.write(preface);
          out.write(settings);
        }
        out.write(noise);
      } catch (IOException e) {
        // It may have been closed before all was said.
      }
    }
    nobodyElseNoticed();
  }
}

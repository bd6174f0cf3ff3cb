package io.muond.wire;

import static org.assertj.core.api.Assertions.assertThat;

import io.grpc.CallOptions;
import io.grpc.ChannelCredentials;
import io.grpc.HasByteBuffer;
import io.grpc.InsecureChannelCredentials;
import io.grpc.InsecureServerCredentials;
import io.grpc.ManagedChannel;
import io.grpc.MethodDescriptor;
import io.grpc.Server;
import io.grpc.ServerServiceDefinition;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ServerCalls;
import java.io.ByteArrayInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Large messages travel in large frames, both ways, between peers that both know of it. */
class TransportTest {
  private static final int OLD_FRAME = 16_384;
  private static final int MESSAGE = Transport.CHUNK_BYTES;

  /** Takes messages as they came, and notes the largest piece that lay together. */
  private static final class Pieces implements MethodDescriptor.Marshaller<byte[]> {
    private final AtomicInteger largest = new AtomicInteger();

    @Override
    public InputStream stream(byte[] message) {
      return new ByteArrayInputStream(message);
    }

    @Override
    public byte[] parse(InputStream stream) {
      byte[] message = new byte[MESSAGE];
      ByteBuffer into = ByteBuffer.wrap(message);
      try {
        while (stream.available() > 0) {
          ByteBuffer piece = ((HasByteBuffer) stream).getByteBuffer();
          int length = piece.remaining();
          largest.accumulateAndGet(length, Math::max);
          into.put(piece);
          stream.skipNBytes(length);
        }
        return message;
      } catch (IOException e) {
        throw new UncheckedIOException(e);
      }
    }
  }

  private final Pieces requests = new Pieces();
  private final Pieces answers = new Pieces();
  private final MethodDescriptor<byte[], byte[]> echo =
      MethodDescriptor.newBuilder(requests, answers)
          .setType(MethodDescriptor.MethodType.UNARY)
          .setFullMethodName("test/echo")
          .build();
  private Server server;

  @BeforeEach
  void start() throws IOException {
    NettyServerBuilder builder =
        NettyServerBuilder.forAddress(
                new InetSocketAddress(InetAddress.getLoopbackAddress(), 0),
                Transport.wideFrames(InsecureServerCredentials.create()))
            .initialFlowControlWindow(4 << 20);
    Transport.tune(builder);
    server =
        builder
            .addService(
                ServerServiceDefinition.builder("test")
                    .addMethod(
                        echo,
                        ServerCalls.asyncUnaryCall(
                            (message, call) -> {
                              call.onNext(message);
                              call.onCompleted();
                            }))
                    .build())
            .build()
            .start();
  }

  @AfterEach
  void stop() {
    server.shutdownNow();
  }

  private void echoes(ChannelCredentials credentials, boolean tuned) {
    NettyChannelBuilder builder =
        NettyChannelBuilder.forAddress("127.0.0.1", server.getPort(), credentials)
            .initialFlowControlWindow(4 << 20);
    if (tuned) {
      Transport.tune(builder);
    }
    ManagedChannel channel = builder.build();
    try {
      byte[] message = new byte[MESSAGE];
      new Random(1).nextBytes(message);
      for (int i = 0; i < 8; i++) {
        assertThat(ClientCalls.blockingUnaryCall(channel, echo, CallOptions.DEFAULT, message))
            .isEqualTo(message);
      }
    } finally {
      channel.shutdownNow();
    }
  }

  @Test
  void framesAreLarge() {
    echoes(Transport.wideFrames(InsecureChannelCredentials.create()), true);
    assertThat(requests.largest.get()).isGreaterThan(4 * OLD_FRAME);
    assertThat(answers.largest.get()).isGreaterThan(4 * OLD_FRAME);
  }

  @Test
  void otherClientsAreServed() {
    echoes(InsecureChannelCredentials.create(), false);
    // They send large frames too, since the server takes them, but have not said that they do.
    assertThat(answers.largest.get()).isBetween(1, OLD_FRAME);
  }
}

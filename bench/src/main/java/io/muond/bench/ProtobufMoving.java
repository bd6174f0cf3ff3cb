package io.muond.bench;

import com.google.protobuf.ByteString;
import io.grpc.CallOptions;
import io.grpc.ManagedChannel;
import io.grpc.netty.shaded.io.grpc.netty.NettyChannelBuilder;
import io.grpc.stub.ClientCallStreamObserver;
import io.grpc.stub.ClientCalls;
import io.grpc.stub.ClientResponseObserver;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.StepServiceGrpc;
import java.nio.ByteBuffer;
import java.util.concurrent.CompletableFuture;

/** The client of {@link ProtobufServer}. */
final class ProtobufMoving implements Contender.Moving {
  private final Resident tensor;
  private final ManagedChannel channel;

  ProtobufMoving(String address, long bytes) {
    tensor = new Resident(bytes);
    channel =
        NettyChannelBuilder.forTarget(address)
            .usePlaintext()
            .initialFlowControlWindow(ProtobufServer.WINDOW)
            .build();
  }

  @Override
  public void push() {
    Sending sending = new Sending();
    ClientCalls.asyncClientStreamingCall(
        channel.newCall(
            StepServiceGrpc.getFillStepMethod(),
            CallOptions.DEFAULT.withOnReadyThreshold(2 * ProtobufServer.CHUNK)),
        sending);
    long received = sending.done.join();
    if (received != tensor.bytes()) {
      throw new IllegalStateException(received + " bytes (expected: " + tensor.bytes() + ")");
    }
  }

  @Override
  public void pull() {
    ModelServiceGrpc.newBlockingStub(channel)
        .readWeights(
            ReadWeightsRequest.newBuilder().setModel(Long.toString(tensor.bytes())).build())
        .forEachRemaining(response -> ProtobufServer.store(response.getChunk(), tensor));
  }

  @Override
  public void close() {
    channel.shutdownNow();
  }

  private final class Sending implements ClientResponseObserver<FillStepRequest, FillStepResponse> {
    private final CompletableFuture<Long> done = new CompletableFuture<>();
    private long offset;

    @Override
    public void beforeStart(ClientCallStreamObserver<FillStepRequest> call) {
      call.setOnReadyHandler(() -> send(call));
    }

    private void send(ClientCallStreamObserver<FillStepRequest> call) {
      long bytes = tensor.bytes();
      while (call.isReady() && offset < bytes) {
        ByteBuffer piece =
            tensor.piece(offset, (int) Math.min(ProtobufServer.CHUNK, bytes - offset));
        int length = piece.remaining();
        call.onNext(
            FillStepRequest.newBuilder()
                .addChunks(
                    ProtobufServer.chunk(offset, ByteString.copyFrom(piece), bytes / Float.BYTES))
                .build());
        offset += length;
        if (offset == bytes) {
          call.onCompleted();
        }
      }
    }

    @Override
    public void onNext(FillStepResponse response) {
      done.complete(response.getReceivedBytes());
    }

    @Override
    public void onError(Throwable failure) {
      done.completeExceptionally(failure);
    }

    @Override
    public void onCompleted() {}
  }
}

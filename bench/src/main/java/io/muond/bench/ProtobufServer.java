package io.muond.bench;

import com.google.protobuf.ByteString;
import io.grpc.Server;
import io.grpc.netty.shaded.io.grpc.netty.NettyServerBuilder;
import io.grpc.stub.ServerCallStreamObserver;
import io.grpc.stub.StreamObserver;
import io.muond.v1.DataType;
import io.muond.v1.FillStepRequest;
import io.muond.v1.FillStepResponse;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.TensorChunk;
import java.io.IOException;
import java.nio.ByteBuffer;

/** The service's messages, as anybody would send them with what protobuf and gRPC generate. */
final class ProtobufServer implements Contender.Serving {
  static final int CHUNK = 1 << 20;
  static final int WINDOW = 8 << 20;

  private final Resident tensor;
  private final Server server;

  ProtobufServer(long bytes) throws IOException {
    tensor = new Resident(bytes);
    server =
        NettyServerBuilder.forPort(0)
            .initialFlowControlWindow(WINDOW)
            .addService(new Steps())
            .addService(new Models())
            .build()
            .start();
  }

  @Override
  public String address() {
    return "127.0.0.1:" + server.getPort();
  }

  @Override
  public void close() {
    server.shutdownNow();
  }

  static TensorChunk chunk(long offset, ByteString data, long elements) {
    return TensorChunk.newBuilder()
        .setParameter("w")
        .setDataType(DataType.DATA_TYPE_FLOAT32)
        .addShape(elements)
        .setOffset(offset)
        .setData(data)
        .build();
  }

  /** Copies a chunk's data to its place. */
  static void store(TensorChunk chunk, Resident into) {
    ByteBuffer from = chunk.getData().asReadOnlyByteBuffer();
    for (long at = chunk.getOffset(); from.hasRemaining(); ) {
      ByteBuffer piece = into.piece(at, from.remaining());
      int some = piece.remaining();
      piece.put(from.slice(from.position(), some));
      from.position(from.position() + some);
      at += some;
    }
  }

  private final class Steps extends StepServiceGrpc.StepServiceImplBase {
    @Override
    public StreamObserver<FillStepRequest> fillStep(StreamObserver<FillStepResponse> answer) {
      return new StreamObserver<>() {
        private long received;

        @Override
        public void onNext(FillStepRequest request) {
          for (TensorChunk chunk : request.getChunksList()) {
            store(chunk, tensor);
            received += chunk.getData().size();
          }
        }

        @Override
        public void onError(Throwable failure) {}

        @Override
        public void onCompleted() {
          answer.onNext(FillStepResponse.newBuilder().setReceivedBytes(received).build());
          answer.onCompleted();
        }
      };
    }
  }

  private final class Models extends ModelServiceGrpc.ModelServiceImplBase {
    @Override
    public void readWeights(
        ReadWeightsRequest request, StreamObserver<ReadWeightsResponse> answer) {
      var call = (ServerCallStreamObserver<ReadWeightsResponse>) answer;
      long bytes = Long.parseLong(request.getModel());
      call.setOnReadyThreshold(2 * CHUNK);
      call.setOnReadyHandler(new Sending(call, bytes));
    }
  }

  private final class Sending implements Runnable {
    private final ServerCallStreamObserver<ReadWeightsResponse> call;
    private final long bytes;
    private long offset;

    private Sending(ServerCallStreamObserver<ReadWeightsResponse> call, long bytes) {
      this.call = call;
      this.bytes = bytes;
    }

    @Override
    public void run() {
      while (call.isReady() && offset < bytes) {
        ByteBuffer piece = tensor.piece(offset, (int) Math.min(CHUNK, bytes - offset));
        int length = piece.remaining();
        call.onNext(
            ReadWeightsResponse.newBuilder()
                .setChunk(chunk(offset, ByteString.copyFrom(piece), bytes / Float.BYTES))
                .build());
        offset += length;
        if (offset == bytes) {
          call.onCompleted();
        }
      }
    }
  }
}

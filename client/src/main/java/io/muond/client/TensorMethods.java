package io.muond.client;

import io.grpc.MethodDescriptor;
import io.muond.v1.CommitStepRequest;
import io.muond.v1.CommitStepResponse;
import io.muond.v1.FillStepResponse;
import io.muond.v1.ModelServiceGrpc;
import io.muond.v1.ReadWeightsRequest;
import io.muond.v1.ReadWeightsResponse;
import io.muond.v1.StepResponse;
import io.muond.v1.StepServiceGrpc;
import io.muond.v1.WriteWeightsResponse;
import io.muond.wire.ChunkedMessage;
import io.muond.wire.Marshallers;
import io.muond.wire.OutgoingMessage;

/** The methods whose messages have tensors, which protobuf is kept out of. */
final class TensorMethods {
  static final MethodDescriptor<OutgoingMessage, FillStepResponse> FILL_STEP =
      in(StepServiceGrpc.getFillStepMethod());

  static final MethodDescriptor<OutgoingMessage, WriteWeightsResponse> WRITE_WEIGHTS =
      in(ModelServiceGrpc.getWriteWeightsMethod());

  static final MethodDescriptor<OutgoingMessage, ChunkedMessage<StepResponse>> STEP =
      StepServiceGrpc.getStepMethod().toBuilder(
              Marshallers.sent(), Marshallers.received(StepResponse.getDefaultInstance()))
          .build();

  static final MethodDescriptor<CommitStepRequest, ChunkedMessage<CommitStepResponse>> COMMIT_STEP =
      StepServiceGrpc.getCommitStepMethod().toBuilder(
              StepServiceGrpc.getCommitStepMethod().getRequestMarshaller(),
              Marshallers.received(CommitStepResponse.getDefaultInstance()))
          .build();

  static final MethodDescriptor<ReadWeightsRequest, ChunkedMessage<ReadWeightsResponse>>
      READ_WEIGHTS =
          ModelServiceGrpc.getReadWeightsMethod().toBuilder(
                  ModelServiceGrpc.getReadWeightsMethod().getRequestMarshaller(),
                  Marshallers.received(ReadWeightsResponse.getDefaultInstance()))
              .build();

  private TensorMethods() {}

  private static <R> MethodDescriptor<OutgoingMessage, R> in(MethodDescriptor<?, R> method) {
    return method.toBuilder(Marshallers.sent(), method.getResponseMarshaller()).build();
  }
}

package io.muond.client;

import com.google.protobuf.Any;
import com.google.rpc.ErrorInfo;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.protobuf.StatusProto;
import io.muond.v1.ErrorReason;
import java.util.Map;

/** Errors as {@code error.proto} words them. */
final class FakeErrors {
  private FakeErrors() {}

  static StatusRuntimeException of(
      Status status, ErrorReason reason, String message, Map<String, String> metadata) {
    ErrorInfo info =
        ErrorInfo.newBuilder()
            .setDomain("muond.io")
            .setReason(reason.name())
            .putAllMetadata(metadata)
            .build();
    return StatusProto.toStatusRuntimeException(
        com.google.rpc.Status.newBuilder()
            .setCode(status.getCode().value())
            .setMessage(message)
            .addDetails(Any.pack(info))
            .build());
  }
}

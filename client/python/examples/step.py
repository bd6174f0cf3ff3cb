"""Creates a model, steps it and reads it back, with generated stubs and nothing else.

    pip install grpcio grpcio-tools numpy
    mkdir -p target/python
    python -m grpc_tools.protoc -I proto/src/main/proto --python_out=target/python \\
        --grpc_python_out=target/python proto/src/main/proto/muond/v1/*.proto
    PYTHONPATH=target/python python client/python/examples/step.py 127.0.0.1:8470
"""

import sys

import grpc
import numpy as np
from muond.v1 import model_pb2, model_pb2_grpc, step_pb2, step_pb2_grpc, tensor_pb2

channel = grpc.insecure_channel(sys.argv[1])
models = model_pb2_grpc.ModelServiceStub(channel)
steps = step_pb2_grpc.StepServiceStub(channel)

shape = (64, 32)
model = models.CreateModel(
    model_pb2.CreateModelRequest(
        model="python-example",
        seed=1,
        parameters=model_pb2.ParameterList(
            parameters=[model_pb2.Parameter(name="w", shape=shape, radius=1.0)]
        ),
    )
).model

gradient = np.random.default_rng(0).standard_normal(shape, dtype=np.float32)
message = step_pb2.StepRequest(
    open=step_pb2.StepHeader(
        model=model.name, incarnation=model.incarnation, step=model.committed_step + 1
    ),
    chunks=[
        tensor_pb2.TensorChunk(
            parameter="w",
            data_type=tensor_pb2.DATA_TYPE_FLOAT32,
            shape=shape,
            data=gradient.tobytes(),
        )
    ],
    commit=step_pb2.CommitOptions(learning_rate=0.1),
)
for answer in steps.Step(iter([message])):
    print(answer.report.parameters[0])

weight = bytearray(4 * shape[0] * shape[1])
for answer in models.ReadWeights(model_pb2.ReadWeightsRequest(model=model.name)):
    if answer.HasField("chunk"):
        end = answer.chunk.offset + len(answer.chunk.data)
        weight[answer.chunk.offset : end] = answer.chunk.data
w = np.frombuffer(weight, np.float32).reshape(shape)
print("singular values:", np.linalg.svd(w, compute_uv=False)[[0, -1]])

models.DeleteModel(model_pb2.DeleteModelRequest(model=model.name))

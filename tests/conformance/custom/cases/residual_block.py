# inputs: (8, 8, 3)
import keras
from keras import layers, ops


class ResidualBlock(layers.Layer):
    """The Residual block of ResNet models."""

    def __init__(self, num_channels, use_1x1conv=False, strides=1, **kwargs):
        super().__init__(**kwargs)
        self.conv1 = layers.Conv2D(num_channels, padding="same", kernel_size=3, strides=strides)
        self.conv2 = layers.Conv2D(num_channels, kernel_size=3, padding="same")
        self.conv3 = None
        if use_1x1conv:
            self.conv3 = layers.Conv2D(num_channels, kernel_size=1, strides=strides)
        self.bn1 = layers.BatchNormalization()
        self.bn2 = layers.BatchNormalization()

    def call(self, X):
        Y = ops.relu(self.bn1(self.conv1(X)))
        Y = self.bn2(self.conv2(Y))
        if self.conv3 is not None:
            X = self.conv3(X)
        Y += X
        return ops.relu(Y)


class ResNet(keras.Model):
    def __init__(self, num_classes):
        super().__init__()
        self.stem = layers.Conv2D(4, 3, padding="same")
        self.blocks = []
        for filters in (4, 8):
            self.blocks.append(ResidualBlock(filters, use_1x1conv=True, strides=2))
            self.blocks.append(ResidualBlock(filters))
        self.pool = layers.GlobalAvgPool2D()
        self.fc = layers.Dense(num_classes)

    def call(self, x):
        x = self.stem(x)
        for block in self.blocks:
            x = block(x)
        return self.fc(self.pool(x))


model = ResNet(5)
model.build(input_shape=(None, 8, 8, 3))

// NestJS with its ValidationPipe, by class-validator: `nest.js [whole] PORT`; `whole` with the pipe of whole.ts.
import 'reflect-metadata'
import { Body, Controller, Get, Module, Param, ParseIntPipe, Post, Query, ValidationPipe } from '@nestjs/common'
import { NestFactory } from '@nestjs/core'
import type { NestExpressApplication } from '@nestjs/platform-express'
import { Type } from 'class-transformer'
import { IsArray, IsInt, IsString, ValidateNested } from 'class-validator'
import { pipe } from './whole.js'

class Item {
  @IsString() sku!: string
  @IsInt() qty!: number
}

class Order {
  @IsString() name!: string
  @IsArray() @ValidateNested({ each: true }) @Type(() => Item) items!: Item[]
}

class Page {
  @Type(() => Number) @IsInt() page!: number
}

class Line {
  @Type(() => Number) @IsInt() qty!: number
}

@Controller()
class Orders {
  @Post('orders') create(@Body() order: Order) {
    return order
  }

  @Get('orders') list(@Query() page: Page) {
    return page
  }

  @Get('orders/:id') show(@Param('id', ParseIntPipe) id: number) {
    return { id }
  }

  @Post('form') form(@Body() line: Line) {
    return line
  }

  @Get('boom') boom() {
    throw new Error('s3cret, at /srv/app')
  }
}

@Module({ controllers: [Orders] })
class App {}

const app = await NestFactory.create<NestExpressApplication>(App, { bodyParser: false, logger: false })
app.useBodyParser('json', { limit: '64kb' })
app.useBodyParser('urlencoded', { limit: '64kb', extended: true })
app.useGlobalPipes(process.argv[2] === 'whole' ? pipe : new ValidationPipe({ transform: true }))
await app.listen(Number(process.argv.at(-1)), '127.0.0.1')
